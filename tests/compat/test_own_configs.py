"""``mmkd_video::...`` in configs, with our package imported and, by the door of a wheel, without it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmkd_video.compat import own_configs

ROOT = Path(__file__).resolve().parents[2]
DISTILLATION = 'distill/i3d_to_mobilenet.py'


def plain(config):
    return {key: value for key, value in config.to_dict().items() if key != '_base_'}


def test_a_base_of_ours_is_known_by_name(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = 'mmkd_video::{DISTILLATION}'\nteacher = _base_.teacher\nterms = _base_.model.terms\n")
    config, shipped = Config.fromfile(path), Config.fromfile(ROOT / 'configs' / DISTILLATION)
    assert config.teacher == shipped.teacher and config.terms == shipped.model.terms  # without a mark of a scope
    assert {key: plain(config)[key] for key in plain(shipped)} == plain(shipped)


def test_other_packages_are_known_as_before(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("_base_ = 'mmaction::_base_/models/tsn_r50.py'\n")
    assert Config.fromfile(path).model._scope_ == 'mmaction'


def test_all_shipped_configs_have_names():
    assert own_configs.configs_folder() == ROOT / 'configs'
    names = own_configs.shipped_names()
    assert DISTILLATION in names and '_base_/mmkd.py' in names
    assert {own_configs.shipped_config(name) for name in names} == set((ROOT / 'configs').rglob('*.py'))


@pytest.mark.parametrize(
    'name, hint',
    [
        ('i3d_to_mobilenet.py', f'mmkd_video::compress/i3d_to_mobilenet.py or mmkd_video::{DISTILLATION}'),
        ('zzzz', 'they are in'),
    ],
)
def test_a_name_that_does_not_exist_is_told_with_one_that_does(name, hint, tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = 'mmkd_video::{name}'\n")
    with pytest.raises(FileNotFoundError, match=hint):
        Config.fromfile(path)


def test_a_copy_without_configs_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(own_configs, '_ROOT', tmp_path)
    with pytest.raises(FileNotFoundError, match='has no configs; install it'):
        own_configs.shipped_config(DISTILLATION)


def test_the_file_of_the_door_needs_the_standard_library_alone():
    tree = ast.parse(Path(own_configs.__file__).read_text())
    names = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert {name.split('.')[0] for name in names} <= sys.stdlib_module_names


# torch calls the door; here it is called by hand, before MMEngine is imported, in the middle of that, and after it.
ORDERS = {
    'before': 'mmkd_video_door.open_door()\nimport mmengine.config',
    'while': 'import torchlike\nimport mmengine.config',
    'after': 'import mmengine.config\nmmkd_video_door.open_door()',
}
THEN = """
print(mmengine.config.Config.fromfile(sys.argv[1]).randomness, 'mmkd_video' in sys.modules)
"""


@pytest.mark.parametrize('order', ORDERS)
def test_the_door_opens_without_our_package_in_any_order(order, tmp_path):
    (tmp_path / 'torchlike.py').write_text(
        'import builtins, mmkd_video_door, sys\nreal = builtins.__import__\n'
        'def watch(name, *more):\n'
        '    if name == "mmengine.config.config" or "mmengine.config.config" in sys.modules:\n'
        '        builtins.__import__ = real\n        mmkd_video_door.open_door()\n'
        '    return real(name, *more)\nbuiltins.__import__ = watch\n'
    )
    (tmp_path / 'mine.py').write_text("_base_ = 'mmkd_video::_base_/mmkd.py'\ncustom_imports = None\n")
    code = f'import sys, mmkd_video_door\n{ORDERS[order]}{THEN}'
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))
    command = [sys.executable, '-c', code, tmp_path / 'mine.py']
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "{'seed': 0} False"


def test_a_broken_installation_leaves_torch_alone(monkeypatch, tmp_path):
    import mmkd_video_door

    monkeypatch.setattr(mmkd_video_door, 'CODE', tmp_path / 'gone.py')
    assert mmkd_video_door.open_door() is None
