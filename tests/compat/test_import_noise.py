import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmkd_video.compat import import_noise

pytestmark = pytest.mark.slow

LOUD = """
import mmcv.cnn.bricks.transformer
from mmengine.utils import get_installed_path
get_installed_path('mmengine')
"""


@pytest.fixture(scope='module')
def said():
    """Return what an interpreter without filters says, by code."""
    known = {}

    def run(code, *options):
        if (code, options) not in known:
            environment = {**os.environ, 'PYTHONPATH': str(Path(__file__).parents[2]), 'PYTHONWARNINGS': ''}
            done = subprocess.run(
                [sys.executable, *options, '-c', code], env=environment, capture_output=True, text=True, check=True
            )
            known[code, options] = done.stderr
        return known[code, options]

    return run


@pytest.mark.parametrize('message', ['MultiScaleDeformableAttention', 'pkg_resources is deprecated'])
def test_the_stack_warns_without_and_not_with(said, message):
    assert message in said(LOUD)
    assert message not in said('import mmkd_video' + LOUD)


def test_other_warnings_are_shown_and_the_users_own_filters_win(said):
    assert 'mine' in said('import mmkd_video, warnings; warnings.warn("mine")')
    assert 'pkg_resources is deprecated' in said('import mmkd_video' + LOUD, '-W', 'default')


@pytest.mark.parametrize('operators', ['_ext.cpython-311-x86_64-linux-gnu.so', None])
def test_stands_aside_where_nothing_is_missing(monkeypatch, tmp_path, operators):
    if operators:
        (tmp_path / operators).touch()
    full = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(import_noise, 'find_spec', lambda name: full if name == 'mmcv' else None)
    assert import_noise.applies() is (operators is None)
