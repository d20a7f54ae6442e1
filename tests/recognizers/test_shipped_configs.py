"""Configs by the names that they come with, wherever a tool is started."""

from pathlib import Path

import pytest

from mmkd_video.recognizers.config import load_config, resolve_config, shipped_configs

ROOT = Path(__file__).resolve().parents[2]
TEACHER = 'configs/teachers/i3d_motion.py'


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize('path', [TEACHER, 'mmkd_video::teachers/i3d_motion.py'])
def test_a_shipped_config_is_found_outside_the_clone(path, elsewhere):
    found = load_config(path)
    assert found.filename == str(ROOT / TEACHER) and resolve_config(path)[0] == found.model.to_dict()


def test_a_file_of_ones_own_of_that_name_comes_first(elsewhere):
    (elsewhere / 'configs/teachers').mkdir(parents=True)
    (elsewhere / TEACHER).write_text('mine = True\n')
    assert load_config(TEACHER).mine


@pytest.mark.parametrize(
    'path, said',
    [
        ('i3d_motion.py', 'there is no such file; with this package comes mmkd_video::teachers/i3d_motion.py$'),
        ('configs/students/i3d_motion.py', 'comes mmkd_video::teachers/i3d_motion.py$'),
        ('mmkd_video::i3d_motion.py', 'did you mean mmkd_video::teachers/i3d_motion.py'),
        ('/configs/teachers/none.py', 'there is no such file$'),
    ],
)
def test_a_path_that_leads_nowhere_is_told_with_one_that_does(path, said, elsewhere):
    with pytest.raises(FileNotFoundError, match=said):
        load_config(path)


def test_the_configs_of_a_folder_are_known_anywhere(elsewhere):
    found = shipped_configs('losses')
    assert 'configs/losses/kd.py' in found and len(found) == len(list((ROOT / 'configs/losses').glob('*.py')))
    assert load_config(found[0]).filename == str(ROOT / found[0])
