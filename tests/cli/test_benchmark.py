"""The options of ``tools/benchmark.py``: how often is measured, and which files may be replaced."""

import pytest

from mmkd_video.cli.benchmark import build_parser, main
from mmkd_video.cli.benchmark_outputs import expect_new_outputs


def test_twenty_pairs_by_default():
    assert build_parser().parse_args(['step']).pairs == 20


@pytest.mark.parametrize('kind', ['step', 'losses', 'stream --model m.xml', 'deploy --model name config checkpoint'])
def test_existing_files_are_kept_without_force(kind, tmp_path, capsys):
    mine = tmp_path / 'mine.json'
    mine.write_text('mine')
    with pytest.raises(SystemExit) as stop:
        main([*kind.split(), '--out', str(mine)])
    assert stop.value.code == 1
    assert f'--out: {mine} exists; give another name, or --force to replace it' in capsys.readouterr().err
    expect_new_outputs(build_parser().parse_args([*kind.split(), '--out', str(mine), '--force']))
    assert mine.read_text() == 'mine'


def test_what_lies_there_by_default_may_be_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = build_parser().parse_args(['step'])
    (tmp_path / options.out).parent.mkdir(parents=True)
    (tmp_path / options.out).write_text('of another run')
    expect_new_outputs(options)


def test_a_picture_is_not_replaced_either(tmp_path, capsys):
    (tmp_path / 'mine.png').write_text('mine')
    with pytest.raises(SystemExit):
        main(['deploy', '--model', 'name', 'config', 'checkpoint', '--picture', str(tmp_path / 'mine.png')])
    assert f'--picture: {tmp_path / "mine.png"} exists' in capsys.readouterr().err
