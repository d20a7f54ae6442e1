"""The command that renders the data set."""

import pytest

from mmkd_video.cli import render
from mmkd_video.datasets import motion_set


@pytest.fixture(autouse=True)
def few_clips(monkeypatch):
    monkeypatch.setattr(motion_set, 'NUM_CLIPS', {'train': 2, 'val': 1, 'test': 1})


def test_command_renders_then_has_nothing_to_do(tmp_path, capsys):
    root = str(tmp_path / 'motion')
    render.main([root])
    printed = capsys.readouterr()
    assert printed.out == f'{root}: rendered\n'
    assert printed.err.splitlines()[-1] == 'rendering 4/4 clips'
    render.main([root, '--workers', '1'])
    assert capsys.readouterr().out == f'{root}: complete, nothing to do\n'


def test_refusal_is_one_line_and_a_failed_command(tmp_path, capsys):
    (tmp_path / 'other').touch()
    with pytest.raises(SystemExit) as stopped:
        render.main([str(tmp_path)])
    assert stopped.value.code == 1
    assert capsys.readouterr().err.startswith('error: ') and 'holds other data' in str(stopped.value.__context__)
