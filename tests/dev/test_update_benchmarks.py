"""Saved benchmarks become sections of a page, or nothing is written."""

import json

import pytest

from dev import update_benchmarks
from mmkd_video.benchmark import Report, Row
from mmkd_video.workflows.measure.saved import save_report

PAGE = '<!-- begin benchmark step -->\n<!-- end benchmark step -->\n'


@pytest.fixture
def saved(tmp_path):
    report = Report('A step', {'a step': 'batch of 2'}, [Row('time', 0.5, 's')], {'seconds': [0.5]})
    save_report(report, tmp_path / 'out' / 'step.json', 'step', 'python tools/benchmark.py step')
    (tmp_path / 'docs').mkdir()
    (tmp_path / 'docs' / 'page.md').write_text(PAGE)
    return report


def test_a_table_and_its_numbers_are_recorded(saved, tmp_path):
    page = tmp_path / 'docs' / 'page.md'
    update_benchmarks.main([str(tmp_path / 'out' / 'step.json'), '--page', str(page)])
    assert saved.as_markdown() in page.read_text()
    assert '- command: `python tools/benchmark.py step`' in page.read_text()
    recorded = json.loads((tmp_path / 'docs' / 'step.json').read_text())
    assert 'raw' not in recorded and Report.from_dict(recorded).as_markdown() == saved.as_markdown()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda folder: (folder / 'out' / 'step.json').unlink(), 'step.json does not exist; measure it again'),
        (lambda folder: (folder / 'out' / 'step.json').write_text('{'), 'is not what tools/benchmark.py writes'),
        (lambda folder: (folder / 'out' / 'step.json').write_text('{}'), 'got benchmark None; expected one of step'),
        (lambda folder: (folder / 'docs' / 'page.md').write_text('x'), "expected one '<!-- begin benchmark step -->'"),
    ],
)
def test_what_cannot_be_recorded_is_told_before_anything_is_written(saved, tmp_path, capsys, change, message):
    change(tmp_path)
    page = tmp_path / 'docs' / 'page.md'
    before = page.read_text()
    with pytest.raises(SystemExit) as stop:
        update_benchmarks.main([str(tmp_path / 'out' / 'step.json'), '--page', str(page)])
    said = capsys.readouterr().err
    assert stop.value.code == 1 and message in said and len(said.splitlines()) == 1
    assert page.read_text() == before and not (tmp_path / 'docs' / 'step.json').exists()
