"""Folders of videos by class, without any list: classes, a split by seed and group, and where it is written."""

import os
from collections import Counter
from pathlib import Path

import pytest

from mmkd_video.compat.annotation_rows import Columns, read_rows
from mmkd_video.recognizers import class_folders
from mmkd_video.recognizers.class_folders import folder_of_lists
from mmkd_video.recognizers.config import load_config
from mmkd_video.recognizers.group_split import SIDES, draw_split, group_names

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / 'configs/distill/i3d_to_mobilenet_folder.py'


@pytest.fixture
def clips(tmp_path, monkeypatch):
    """Three classes of twelve clips, three each cut from one video, and what is not to be taken for videos."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / 'my clips'
    for name in ('walk', 'jump', 'high kick'):
        (root / name).mkdir(parents=True)
        for video in 'abcd':
            for part in range(3):
                (root / name / f'{video} of {name}_{part}.MP4').touch()
    (root / 'walk' / 'notes.txt').touch()
    (root / '.cache').mkdir()
    (root / 'empty').mkdir()
    for variable in ('CLIPS', 'CLASSES', 'SPLIT_SEED'):
        monkeypatch.setenv(variable, '')
        monkeypatch.delenv(variable)
    return root


def lists(folder):
    return {
        side: [(row.names[0], int(row.labels[0])) for row in read_rows(folder / f'{side}.txt', Columns())]
        for side in SIDES
    }


def test_a_split_is_written_beside_the_folder_and_said(clips, caplog, capsys):
    before = sorted(clips.rglob('*'))
    folder = folder_of_lists(clips)
    assert folder == clips.with_name('my clips_split0')
    assert (folder / 'classes.txt').read_text() == 'high kick\njump\nwalk\n'
    found = lists(folder)
    assert [len(found[side]) for side in SIDES] == [18, 9, 9]  # four groups of three: two, one and one
    for side in SIDES:
        assert set(Counter(label for _, label in found[side])) == {0, 1, 2}
        assert all((folder / name).is_file() for name, _ in found[side])
        assert all(Path(name).parent.name == ['high kick', 'jump', 'walk'][label] for name, label in found[side])
    sources = {side: {name.rpartition('_')[0] for name, _ in found[side]} for side in SIDES}
    assert sum(map(len, sources.values())) == len(set().union(*sources.values())) == 12
    assert sorted(clips.rglob('*')) == before
    said = capsys.readouterr().out + capsys.readouterr().err + caplog.text
    assert '36 videos of 3 classes, split into 18 train, 9 val, 9 test' in said and f'written to {folder}' in said
    assert 'by the number at the end of their names' in said


def test_the_same_seed_comes_to_the_same_split_and_another_to_another(clips):
    first = lists(folder_of_lists(clips))
    (clips.with_name('my clips_split0') / 'train.txt').unlink()
    assert lists(folder_of_lists(clips)) == first
    assert folder_of_lists(clips, '1').name == 'my clips_split1'
    assert any(lists(folder_of_lists(clips, str(seed))) != first for seed in (1, 2, 3))


def test_a_split_that_is_there_stays_and_new_videos_are_told(clips, capsys):
    folder = folder_of_lists(clips)
    before = (folder / 'train.txt').read_bytes()
    (clips / 'walk' / 'e_0.mp4').touch()
    capsys.readouterr()
    assert folder_of_lists(clips) == folder and (folder / 'train.txt').read_bytes() == before
    assert '1 videos are in no list' in capsys.readouterr().out


def test_where_nothing_can_be_written_beside_it_work_dirs_takes_it(clips, monkeypatch):
    monkeypatch.setattr(class_folders.os, 'access', lambda path, mode: False)
    folder = folder_of_lists(clips)
    assert folder.parent == Path('work_dirs/splits') and folder.match('my clips_*_split0')
    assert all(Path(name).is_file() and os.path.isabs(name) for name, _ in lists(folder)['train'])
    kept = lists(folder)
    other = clips.parent / 'other' / 'my clips'
    other.parent.mkdir()
    clips.rename(other)
    assert all(str(other) in name for name, _ in lists(folder_of_lists(other))['train'])
    assert lists(folder) == kept  # a namesake has lists of its own


def test_a_folder_of_that_name_that_is_not_ours_is_left_alone(clips):
    taken = clips.with_name('my clips_split0')
    taken.mkdir()
    (taken / 'mine.txt').touch()
    assert folder_of_lists(clips).parent == Path('work_dirs/splits')
    assert [each.name for each in taken.iterdir()] == ['mine.txt']


def test_sides_that_are_folders_stay_as_they_are(clips):
    for side in ('Training', 'test'):
        for name in ('a', 'b'):
            (clips.parent / 'sides' / side / name).mkdir(parents=True)
            for number in range(8):
                (clips.parent / 'sides' / side / name / f'{side}{chr(97 + number)}.avi').touch()
    found = lists(folder_of_lists(clips.parent / 'sides'))
    assert [len(found[side]) for side in SIDES] == [12, 4, 16]
    assert all('/test/' in name for name, _ in found['test'])
    assert all('/Training/' in name for side in ('train', 'val') for name, _ in found[side])


def test_videos_in_the_folder_itself_or_too_few_are_refused(clips, tmp_path):
    (tmp_path / 'flat').mkdir()
    (tmp_path / 'flat' / 'a.mp4').touch()
    with pytest.raises(ValueError, match='got 0 folders of videos; expected train.txt, or a folder for each'):
        folder_of_lists(tmp_path / 'flat')
    (clips / 'rare').mkdir()
    (clips / 'rare' / 'a.mp4').touch()
    with pytest.raises(ValueError, match="class 'rare' has 1 videos; expected at least 3"):
        folder_of_lists(clips)
    with pytest.raises(ValueError, match="SPLIT_SEED: got 'x'; expected a whole number from 0"):
        folder_of_lists(clips, 'x')


@pytest.mark.parametrize('name', [b'a\nb 0.mp4', b'a\tb.mp4', b'a\xe2\x80\xa8b.mp4', b'a\xffb.mp4'])
@pytest.mark.parametrize('of_folder', [False, True])
def test_names_that_no_line_can_hold_are_refused(clips, name, of_folder):
    folder = os.fsencode(clips / 'walk')
    if of_folder:
        name += b'/a.mp4'
        os.mkdir(os.path.join(os.fsencode(clips), os.path.dirname(name)))
        folder = os.fsencode(clips)
    Path(os.fsdecode(os.path.join(folder, name))).touch()
    with pytest.raises(ValueError, match='got the name .*; expected UTF-8 without tabs, line breaks'):
        folder_of_lists(clips)
    assert not (clips.parent / 'my clips_split0').exists()


def test_clips_alone_is_enough_for_student_and_teacher(clips, monkeypatch):
    monkeypatch.setenv('CLIPS', 'my clips')
    monkeypatch.chdir(clips.parent)
    config = load_config(FOLDER)
    assert config.model.student.cls_head.num_classes == 3
    assert config.test_dataloader.dataset.data_root == 'my clips_split0' == os.environ['CLIPS']
    teacher = load_config(ROOT / 'configs/teachers/i3d_folder.py')
    assert teacher.model.cls_head.num_classes == 3 and teacher.data_root == 'my clips_split0'
    assert load_config(ROOT / 'configs/students/mobilenet_motion.py').model.cls_head.num_classes == 8


def test_another_number_of_classes_is_refused(clips, monkeypatch):
    monkeypatch.setenv('CLIPS', str(clips))
    monkeypatch.setenv('CLASSES', '8')
    with pytest.raises(ValueError, match="CLASSES: got '8'; .* has 3 folders of videos; leave CLASSES out"):
        load_config(FOLDER)
    monkeypatch.setenv('CLIPS', str(clips) + 'x')
    with pytest.raises(FileNotFoundError, match='CLIPS: got .* expected the folder of your videos; there is none'):
        load_config(FOLDER)


@pytest.mark.parametrize(
    ('names', 'groups'),
    [
        (['v_A_g01_c01', 'v_A_g01_c02', 'v_A_g02_c01', 'v_A_g03_c01'], ['v_A_g01', 'v_A_g01', 'v_A_g02', 'v_A_g03']),
        (['x_1_000010_000020', 'x_1_000030_000040', 'y_000001_000011', 'z_000001_000011'], ['x_1', 'x_1', 'y', 'z']),
        (['tea clip 1', 'tea clip 2', 'run-part02', 'sun'], ['tea', 'tea', 'run', 'sun']),
        (['a_1', 'a_2', 'b (1)', 'c-7'], ['a', 'a', 'b', 'c']),
        (['film1/a', 'film1/b', 'film2/a', 'film3/a'], ['film1', 'film1', 'film2', 'film3']),
        (['IMG_1', 'IMG_2', 'IMG_3', 'IMG_4'], ['c/IMG_1.mp4', 'c/IMG_2.mp4', 'c/IMG_3.mp4', 'c/IMG_4.mp4']),
        (['00', '01', '02', '03'], ['c/00.mp4', 'c/01.mp4', 'c/02.mp4', 'c/03.mp4']),
    ],
)
def test_names_and_folders_tell_what_was_cut_from_one_video(names, groups):
    videos = {f'c/{name}.mp4': 'c' for name in names}
    assert list(group_names(videos)[1].values()) == groups


def test_a_group_of_several_classes_stays_whole():
    videos = {f'{name}/{film}_{part}.mp4': name for name in 'ab' for film in range(10) for part in range(3)}
    groups = {video: video.partition('/')[2].partition('_')[0] for video in videos}
    sides = draw_split(videos, groups, 0)
    assert all(len({sides[video] for video in videos if groups[video] == group}) == 1 for group in groups.values())
    counts = Counter((videos[video], side) for video, side in sides.items())
    assert len(counts) == 6 and max(counts.values()) <= 21
