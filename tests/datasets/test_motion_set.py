"""The folder of motion clips: complete, or refused, or finished later; never half."""

import json
import shutil
from pathlib import Path

import pytest

from mmkd_video.datasets import motion_set, render_motion_clips

FEW = {'train': 9, 'val': 3, 'test': 4}


def contents(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


@pytest.fixture(scope='module')
def rendered(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('clips') / 'nested' / 'motion'
    assert render_motion_clips(root, num_clips=FEW)
    return root


@pytest.fixture
def copy(rendered, tmp_path) -> Path:
    return Path(shutil.copytree(rendered, tmp_path / 'copy'))


def test_folder_holds_clips_annotations_and_manifest(rendered):
    names = set(contents(rendered))
    assert {'classes.txt', 'train.txt', 'val.txt', 'test.txt', 'manifest.json'} < names
    lines = (rendered / 'train.txt').read_text().splitlines()
    assert lines[0] == 'train/0000_left.mp4 0' and lines[8] == 'train/0008_left.mp4 0' and len(lines) == 9
    assert (rendered / 'classes.txt').read_text().split()[7] == 'zoom_out'
    manifest = json.loads((rendered / 'manifest.json').read_text())
    assert len(manifest['sha256']) == 16 and manifest['seed'] == 0
    assert len(names) == 16 + 5


def test_second_call_changes_nothing(copy):
    before = contents(copy)
    assert not render_motion_clips(copy, num_clips=FEW)
    assert contents(copy) == before


def test_clips_do_not_depend_on_the_number_of_threads(rendered, tmp_path):
    render_motion_clips(tmp_path / 'one', num_clips=FEW, workers=1)
    assert (tmp_path / 'one' / 'manifest.json').read_text() == (rendered / 'manifest.json').read_text()


def test_interrupted_rendering_goes_on_where_it_stopped(rendered, tmp_path, monkeypatch):
    root = tmp_path / 'motion'
    encode, count = motion_set.encode_clip, []

    def encode_five(frames, path, fps):
        count.append(path)
        if len(count) > 5:
            path.write_bytes(b'half a clip')
            raise KeyboardInterrupt
        encode(frames, path, fps)

    monkeypatch.setattr(motion_set, 'encode_clip', encode_five)
    with pytest.raises(KeyboardInterrupt):
        render_motion_clips(root, num_clips=FEW, workers=1)
    monkeypatch.undo()
    early = {name: value for name, value in contents(root).items() if name.endswith('.mp4') and '.part' not in name}
    assert len(early) == 5 and not (root / 'manifest.json').exists()

    assert render_motion_clips(root, num_clips=FEW)
    late = contents(root)
    assert {name: late[name] for name in early} == early
    assert {name: value[1] for name, value in late.items()} == {n: v[1] for n, v in contents(rendered).items()}


def test_interrupted_rendering_is_not_continued_with_other_settings(tmp_path, monkeypatch):
    def stop(frames, path, fps):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(motion_set, 'encode_clip', stop)
        render_motion_clips(tmp_path / 'motion', num_clips=FEW)
    with pytest.raises(FileExistsError, match='seed is 0, asked for 3'):
        render_motion_clips(tmp_path / 'motion', seed=3, num_clips=FEW)


def test_finished_folder_of_other_settings_is_refused(copy):
    before = contents(copy)
    with pytest.raises(FileExistsError, match='seed is 0, asked for 1'):
        render_motion_clips(copy, seed=1, num_clips=FEW)
    assert contents(copy) == before


@pytest.mark.parametrize('damage', ['missing', 'changed'])
def test_damaged_clip_is_named(copy, damage: str):
    clip = copy / 'val' / '0001_right.mp4'
    if damage == 'missing':
        clip.unlink()
    else:
        clip.write_bytes(clip.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r'1 clips are missing or changed \(val/0001_right.mp4\); delete'):
        render_motion_clips(copy, num_clips=FEW)


def test_folder_with_other_data_is_refused_and_left_alone(tmp_path):
    (tmp_path / 'holiday.mp4').write_bytes(b'precious')
    with pytest.raises(FileExistsError, match='holds other data'):
        render_motion_clips(tmp_path, num_clips=FEW)
    assert list(contents(tmp_path)) == ['holiday.mp4']


def test_process_that_begins_in_the_same_moment_is_no_other_data(rendered, tmp_path, monkeypatch):
    root = tmp_path / 'motion'
    root.mkdir()
    look = Path.iterdir

    def begin_and_look(folder):  # between two looks at the folder, if there were two
        (root / 'rendering.json').touch()
        return look(folder)

    monkeypatch.setattr(Path, 'iterdir', begin_and_look)
    assert render_motion_clips(root, num_clips=FEW)
    assert (root / 'manifest.json').read_text() == (rendered / 'manifest.json').read_text()


def test_full_set_stays_small():
    assert sum(motion_set.NUM_CLIPS.values()) * 22_000 < 40e6


def test_clips_of_the_full_set_weigh_what_the_bound_assumes(rendered):
    sizes = [path.stat().st_size for path in rendered.rglob('*.mp4')]
    assert sum(sizes) / len(sizes) < 22_000
