"""Importing the package registers its classes, whoever imports it; see the doctor for ``python -m mmkd_video``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KNOWN = "from mmaction.registry import MODELS; print('known:', MODELS.get('KDLoss') is not None)"


def python(*arguments, path=(), **more):
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, [*path, ROOT])))
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, **more)


@pytest.fixture
def broken(tmp_path):
    """A folder whose torch, MMEngine and MMAction2 do not import."""
    for name in ('torch', 'mmengine', 'mmaction'):
        (tmp_path / f'{name}.py').write_text('raise ImportError("broken on purpose")')
    return tmp_path


@pytest.mark.slow
def test_another_program_with_a_command_of_the_same_name_gets_all_classes(tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / '__init__.py').write_text('import mmkd_video')
    (tmp_path / 'mine' / '__main__.py').write_text(KNOWN)
    done = python('-m', 'mine', 'doctor', path=[tmp_path])
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'known: True'


def test_a_broken_stack_is_told_as_what_it_is(broken):
    done = python('-c', 'import mmkd_video', path=[broken])
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == 'ImportError: broken on purpose'


def test_a_module_of_the_package_that_is_run_gets_all_classes(broken):
    done = python('-m', 'mmkd_video.core.version', path=[broken])
    assert done.returncode == 1 and 'ImportError: broken on purpose' in done.stderr
