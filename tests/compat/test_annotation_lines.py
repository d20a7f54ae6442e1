"""What is wrong with a line of an annotation file is told with file and line."""

from types import SimpleNamespace

import pytest
from mmaction.registry import DATASETS

from mmkd_video.compat.annotation_lines import Columns, annotation_files, wrong_line

GOOD = b'a.mp4 0\nb.mp4 -1\nc.mp4\nd.mp4 4\n'
WRONG = {
    'text': (b'a.mp4 1\nb.mp4 x\n', ":2: got label 'x'; expected a whole number from 0"),
    'float': (b'a.mp4 1.0\n', ":1: got label '1.0'; expected a whole number"),
    'negative': (b'a.mp4 1\nb.mp4 -2\n', ":2: got label '-2'; expected a whole number from 0"),
    'huge': (b'a.mp4 ' + b'9' * 30, f":1: got label '{'9' * 30}'; expected "),
    'no class': (b'a.mp4 1\nb.mp4 5', ":2: got label '5'; expected 0 to 4, as cls_head.num_classes is 5; set num_cl"),
    'mark': (b'\xef\xbb\xbfa.mp4 1', ':1: got a byte-order mark; expected plain UTF-8; save the file as UTF-8'),
    'UTF-16': ('a.mp4 1\n'.encode('utf-16'), ':1: got UTF-16; expected plain UTF-8'),
    'UTF-16 without a mark': ('a.mp4 1\n'.encode('utf-16-le'), ':1: got a zero byte; expected plain UTF-8'),
    'UTF-32': ('a.mp4 1\n'.encode('utf-32'), ':1: got UTF-32; expected plain UTF-8'),
    'Latin-1': (b'a.mp4 1\nd\xe9j\xe0.mp4 2', ':2: got the byte 0xe9 in '),
    'comment': (b'# my clips\na.mp4 1', ":1: got the comment '# my clips'; expected `path label`; comments are not"),
    'empty line': (b'a.mp4 1\n\nb.mp4 1', ':2: got an empty line; expected `path label`; take the line out'),
    'words for a name': (
        b'my clip.mp4 at home 1',
        ":1: got 4 columns in 'my clip.mp4 at home 1'; ",
    ),
    'open quote': (b'"my clip.mp4 1', ":1: got a quote without its end in '\"my clip.mp4 1'; expected `path label`"),
    'drive': (
        b'C:\\clips\\a.mp4 1',
        r":1: got 'C:\\clips\\a.mp4', a path of Windows; expected one ",
    ),
    'third column': (b'a.mp4 1 30', ":1: got 3 columns in 'a.mp4 1 30'; expected `path label`"),
    'tab': (b'a.mp4\t1', r":1: got a tab in 'a.mp4\t1'; expected `path label`; put a space there, or set delimiter="),
}
FRAMES = {
    'no frames': (b'a', ":1: got 'a'; expected `path frames label`"),
    'frames of text': (b'a many 1', ":1: got frames 'many'; expected a whole number of at least 0"),
    'label of text': (b'a 30 x', ":1: got label 'x'"),
    'too many': (b'a 30 1 2', ":1: got 4 columns in 'a 30 1 2'; expected `path frames label`"),
}


def dataset(kind, path, **more):
    return DATASETS.build(dict(type=kind, ann_file=str(path), pipeline=[], **more))


@pytest.mark.parametrize('case', WRONG)
def test_a_wrong_line_is_named_before_anything_is_read(tmp_path, case):
    content, message = WRONG[case]
    path = tmp_path / 'train.txt'
    path.write_bytes(content)
    found = wrong_line(path, Columns(), num_classes=5)
    assert found is not None and found.startswith(f'{path}{message}') and '\n' not in found
    if case != 'no class':
        with pytest.raises(ValueError) as refused:
            dataset('VideoDataset', path)
        assert str(refused.value) == wrong_line(path, Columns())


@pytest.mark.parametrize('case', FRAMES)
def test_a_wrong_line_of_a_list_of_frames_is_named(tmp_path, case):
    content, message = FRAMES[case]
    path = tmp_path / 'train.txt'
    path.write_bytes(content)
    with pytest.raises(ValueError) as refused:
        dataset('RawframeDataset', path)
    assert str(refused.value).startswith(f'{path}{message}')


def test_what_can_be_meant_is_read_as_ever(tmp_path):
    path = tmp_path / 'train.txt'
    path.write_bytes(GOOD.replace(b'\n', b'\r\n'))
    assert wrong_line(path, Columns(), num_classes=5) is None
    read = dataset('VideoDataset', path)
    assert [read.get_data_info(index)['label'] for index in range(4)] == [0, -1, -1, 4]
    path.write_text('my clip.mp4,1\n')
    assert dataset('VideoDataset', path, delimiter=',').get_data_info(0)['label'] == 1
    path.write_text('a.mp4 1 2\n')
    assert dataset('VideoDataset', path, multi_class=True, num_classes=3).get_data_info(0)['label'].tolist() == [
        0,
        1,
        1,
    ]


def test_the_files_of_all_that_a_dataset_wraps_are_found(tmp_path):
    path = tmp_path / 'train.txt'
    path.write_bytes(GOOD)
    inner = dataset('VideoDataset', path)
    assert list(annotation_files(SimpleNamespace(dataset=SimpleNamespace(datasets=[inner])))) == [(path, Columns())]
    assert list(annotation_files([1, 2])) == []
