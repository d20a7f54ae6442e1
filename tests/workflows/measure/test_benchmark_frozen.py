"""``tools/benchmark.py frozen``: steps of one student with other sets of frozen layers."""

import json
from pathlib import Path

import pytest

from mmkd_video.cli.benchmark import main

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.usefixtures('quiet_machine')
QUICK = ['--rounds', '2', '--max-rounds', '2', '--warmup', '1', '--batch-size', '2']


@pytest.mark.slow
def test_less_is_trained_in_less_time_and_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    report = main(['frozen', *QUICK, '--memory-runs', '1', '--out', str(tmp_path / 'out.json')])
    rows = {row.name: row.value for row in report.rows}
    whole = 'backbone frozen'
    assert rows[f'trained parameters, {whole} / all trained'] < 0.05
    half = next(name for name in rows if name.startswith('trained parameters, backbone.conv1,'))
    assert rows[f'trained parameters, {whole} / all trained'] < rows[half] < 1
    assert rows[f'a step, {whole} / all trained'] < 1
    assert rows[f'peak memory, {whole} - all trained'] < 0
    saved = json.loads((tmp_path / 'out.json').read_text())
    assert saved['benchmark'] == 'frozen' and len(saved['raw']['trained']) == 3


def test_settings_of_ones_own_beside_a_teacher(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    own = ['--freeze', 'backbone.conv1,backbone.layer[12]', '--distilled', '--memory-runs', '0']
    report = main(['frozen', *QUICK[:-2], '--batch-size', '1', *own, '--out', str(tmp_path / 'out.json')])
    names = [row.name for row in report.rows]
    assert 'a step, backbone.conv1,backbone.layer[12] frozen / all trained' in names
    assert not any('memory' in name for name in names)


def test_a_slip_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit):
        main(['frozen', *QUICK, '--freeze', 'backbone.layr1', '--out', str(tmp_path / 'out.json')])
    assert "FreezeHook.modules[0]: 'backbone.layr1' names no module" in capsys.readouterr().err
