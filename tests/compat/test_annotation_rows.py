"""Annotation files as users write them: spaces, quotes, commas, backslashes, csv, Kinetics."""

import pytest
from mmaction.registry import DATASETS

from mmkd_video.compat.annotation_lines import wrong_line
from mmkd_video.compat.annotation_rows import Columns, read_rows

LISTS = {
    'spaces': (
        'my clip.mp4 1\nmy clips/a b.mp4 2\nc d.mp4\n',
        ['my clip.mp4', 'my clips/a b.mp4', 'c d.mp4'],
    ),
    'spaces without a suffix': ('my clip 1\nb 2\nc\n', ['my clip', 'b', 'c']),
    'quotes': ('"a 1 2.x" 1\n"say ""hi"".mp4"  2\nit\'s.mp4\n', ['a 1 2.x', 'say "hi".mp4', "it's.mp4"]),
    'commas': ('a,b.mp4 1\nc, d.mp4 2\ne.mp4\n', ['a,b.mp4', 'c, d.mp4', 'e.mp4']),
    'backslashes': ('kick\\a.mp4 1\nkick\\my b.mp4 2\nc.mp4\n', ['kick/a.mp4', 'kick/my b.mp4', 'c.mp4']),
}
TABLES = {
    'no header': 'a b.mp4,1\n"c,d.mp4", 2\ne.mp4\n',
    'header': 'path,label\na b.mp4,1\n"c,d.mp4",2\ne.mp4,\n',
    'mark of a spreadsheet': '\ufeffpath,label\r\na b.mp4,1\r\n"c,d.mp4",2\r\ne.mp4,\r\n',
    'semicolons': 'label;file_name\n1;a b.mp4\n2;"c,d.mp4"\n;e.mp4\n',
    'further columns': 'id,filename,seconds,class\n7,a b.mp4,2.5,1\n8,"c,d.mp4",1,2\n9,e.mp4,3,\n',
    'names of classes': 'video,class\na b.mp4,high_kick\n"c,d.mp4",Jump\ne.mp4,\n',
}
KINETICS = 'label,youtube_id,time_start,time_end,split\nhigh kick,-a_b,10,20,train\njump,cd,0.0,10.0,train\n'


def samples(path, **more):
    read = DATASETS.build(dict(type='VideoDataset', ann_file=str(path), pipeline=[], **more))
    infos = [read.get_data_info(index) for index in range(len(read))]
    return [(info['filename'], info['label']) for info in infos]


@pytest.mark.parametrize('case', LISTS)
def test_names_of_a_list_are_read_as_they_are_written(tmp_path, case):
    content, names = LISTS[case]
    path = tmp_path / 'train.txt'
    path.write_text(content)
    assert samples(path) == list(zip(names, [1, 2, -1], strict=True))
    below = samples(path, data_prefix=dict(video=str(tmp_path)))
    assert [name for name, _ in below] == [f'{tmp_path}/{name}' for name in names]


@pytest.mark.parametrize('case', TABLES)
def test_a_table_is_read_with_or_without_a_header(tmp_path, case):
    (tmp_path / 'classes.txt').write_text('walk\nHigh kick\njump\n')
    path = tmp_path / 'train.csv'
    path.write_text(TABLES[case], newline='')
    assert wrong_line(path, Columns(), num_classes=3) is None
    assert samples(path) == [('a b.mp4', 1), ('c,d.mp4', 2), ('e.mp4', -1)]
    path.with_suffix('.txt').write_text(TABLES[case])
    if case != 'semicolons':
        assert samples(path.with_suffix('.txt'), delimiter=',') == samples(path)


@pytest.mark.parametrize('stored', ['', 'high kick/', 'high_kick/'])
def test_a_list_of_kinetics_finds_videos_however_they_are_stored(tmp_path, stored):
    (tmp_path / 'classes.txt').write_text('high kick\njump\n')
    path = tmp_path / 'train.csv'
    path.write_text(KINETICS)
    names = [f'{stored}-a_b_000010_000020.mp4', f'{stored and "jump/"}cd_000000_000010.mp4']
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert samples(path, data_prefix=dict(video=str(tmp_path))) == [
        (f'{tmp_path}/{names[0]}', 0),
        (f'{tmp_path}/{names[1]}', 1),
    ]


def test_a_missing_video_of_kinetics_has_the_plain_name(tmp_path):
    (tmp_path / 'classes.txt').write_text('high kick\njump\n')
    (tmp_path / 'train.csv').write_text(KINETICS)
    assert samples(tmp_path / 'train.csv')[0] == ('-a_b_000010_000020.mp4', 0)


def test_several_labels_may_follow_a_name_with_spaces(tmp_path):
    path = tmp_path / 'train.txt'
    path.write_text('my clip.mp4 0 2\n')
    assert samples(path, multi_class=True, num_classes=3)[0][1].tolist() == [1, 0, 1]
    path = tmp_path / 'train.csv'
    path.write_text('path,label\n"my, clip.mp4",0 2\n')
    assert samples(path, multi_class=True, num_classes=3)[0][1].tolist() == [1, 0, 1]


def test_a_backslash_that_is_part_of_a_name_stays(tmp_path):
    (tmp_path / 'a\\b.mp4').touch()
    (tmp_path / 'train.txt').write_text('a\\b.mp4 1\n')
    assert samples(tmp_path / 'train.txt', data_prefix=dict(video=str(tmp_path))) == [(f'{tmp_path}/a\\b.mp4', 1)]


WRONG = {
    'width': (
        'path,label\na,b.mp4,1\n',
        ":2: got 3 columns in 'a,b.mp4,1'; expected 2, as in the first line",
    ),
    'label': ('path,label\na.mp4,1.5\n', ":2: got label '1.5'; expected a whole number"),
    'class': (
        'path,label\na.mp4,run\n',
        ":2: got label 'run'; expected a whole number, or a name from {}/classes",
    ),
    'huge': ('path,label\na.mp4,3\n', ":2: got label '3'; expected 0 to 2, as cls_head.num_classes is 3"),
    'quote': ('path,label\n"a.mp4,3\n', ":2: got a quote without its end in '\"a.mp4,3'"),
    'no name': ('path,label\n,1\n', ":2: got no name in ',1'; expected the path of a sample first"),
    'times': ('label,youtube_id,time_start,time_end\nrun,a,b,c\n', ":2: got the times 'b', 'c'; expected seconds"),
    'splits': (
        'path,label,split\na.mp4,1,train\nb.mp4,1,test\n',
        ":3: got split 'test' after 'train'; expected ",
    ),
    'three columns': ('a.mp4,30,1\n', ":1: got 3 columns in 'a.mp4,30,1'; expected `path label`"),
    'no header': ('title,kind\n', ":1: got label 'kind'; expected a whole number"),
}


@pytest.mark.parametrize('case', WRONG)
def test_a_wrong_line_of_a_table_is_named(tmp_path, case):
    content, message = WRONG[case]
    path = tmp_path / 'train.csv'
    path.write_text(content)
    found = wrong_line(path, Columns(), num_classes=3)
    assert found is not None and found.startswith(f'{path}{message.format(tmp_path)}') and '\n' not in found
    with pytest.raises(ValueError, match=r'train\.csv:\d: got ') as refused:
        samples(path, multi_class=False)
        raise ValueError('train.csv:2: got right')  # a label that only a model does not know
    assert case == 'huge' or str(refused.value) == wrong_line(path, Columns())


def test_a_class_that_classes_txt_lacks_is_named(tmp_path):
    (tmp_path / 'classes.txt').write_text('walk\n')
    (tmp_path / 'train.csv').write_text('path,label\na.mp4,run\n')
    assert 'classes.txt, which has no such line' in wrong_line(tmp_path / 'train.csv', Columns())


def test_rows_say_their_line(tmp_path):
    (tmp_path / 'train.csv').write_text('path,label\na.mp4,1\n\nb.mp4,2\n')
    assert [row.number for row in read_rows(tmp_path / 'train.csv', Columns())] == [2, 3, 4]
