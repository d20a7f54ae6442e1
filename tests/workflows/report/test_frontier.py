"""Which students are worth their cost."""

import json

import clips
import pytest
import tiny
from mmengine.config import Config

from mmkd_video.cli import frontier as command
from mmkd_video.workflows.compare.arms import ALONE, AS_LONG, DISTILLED
from mmkd_video.workflows.compare.result import Comparison, Row, Section
from mmkd_video.workflows.report.frontier import Frontier, Student, mark_fronts, measure_frontier


def student(name, accuracy, latency, gflops=1.0):
    return Student(name, accuracy, 2, 10, gflops, latency, (latency, latency))


def test_those_that_another_one_beats_are_on_no_front():
    found = mark_fronts(
        [
            student('slow and good', 0.9, 3.0, 3.0),
            student('slow and bad', 0.6, 3.5, 3.5),
            student('fast', 0.7, 1.0, 4.0),
            student('same cost, worse', 0.5, 1.0, None),
            student('few operations', 0.65, 9.0, 1.0),
        ]
    )
    assert {each.name: each.fronts for each in found} == {
        'fast': ('latency',),
        'same cost, worse': (),
        'slow and good': ('latency', 'operations'),
        'slow and bad': (),
        'few operations': ('operations',),
    }
    assert [each.name for each in found][:2] == ['fast', 'same cost, worse']


def test_equals_are_both_on_the_front():
    assert [each.fronts for each in mark_fronts([student('a', 0.5, 1.0), student('b', 0.5, 1.0)])] == [
        ('latency', 'operations')
    ] * 2


def row(arm, kind, scores):
    return Row(arm, kind, '', {}, scores, [None] * 2, [None] * 2, [1.0] * 2, [1.0] * 2, params=99, gflops=0.25)


def compared(folder, metric='acc/top1', scores=(0.75, 0.5)):
    folder.mkdir()
    config = Config(clips.runner_config(folder, folder, tiny.distiller([tiny.KD]), clips.pipeline(layout='NCTHW')))
    config.dump(folder / 'mine.py')
    rows = [
        row('student alone', ALONE, [0.25, 0.5]),
        row('mine', DISTILLED, list(scores)),
        row('longer', AS_LONG, [0.5, 0.5]),
    ]
    found = Comparison({'mine': str(folder / 'mine.py')}, '', metric, [0, 1], [], [Section('as shipped', rows)])
    (folder / 'compare.json').write_text(json.dumps(found.as_dict()))
    return folder


def test_students_of_a_comparison_are_measured_and_drawn(tmp_path, capsys):
    folder = compared(tmp_path / 'one')
    command.main([str(folder), '--rounds', '2', '--warmup', '0', '--out', str(tmp_path / 'out')])
    said = capsys.readouterr().out
    assert 'mine' in said and '62.5 %' in said and '37.5 %' in said and 'longer' not in said
    saved = json.loads((tmp_path / 'out' / 'frontier.json').read_text())
    by_name = {each['name']: each for each in saved['students']}
    assert by_name['mine']['fronts'] == ['latency', 'operations'] and by_name['student alone']['fronts'] == []
    assert by_name['mine']['latency'] == by_name['student alone']['latency'] > 0  # one model, measured once
    assert (tmp_path / 'out' / 'frontier.png').read_bytes()[:4] == b'\x89PNG'
    assert '| mine | 62.5 % | 2 | 0.250 | 99 |' in (tmp_path / 'out' / 'frontier.md').read_text()
    with pytest.raises(SystemExit):
        command.main([str(folder), '--out', str(tmp_path / 'out')])


def test_comparisons_of_different_metrics_are_told(tmp_path):
    folders = [compared(tmp_path / 'a'), compared(tmp_path / 'b', metric='acc/top5')]
    with pytest.raises(ValueError, match='got comparisons of different metrics'):
        measure_frontier(folders)
    with pytest.raises(FileNotFoundError):
        measure_frontier([tmp_path])


def test_nothing_scored_is_told(tmp_path):
    folder = compared(tmp_path / 'a', scores=(None, None))
    found = json.loads((folder / 'compare.json').read_text())
    for each in found['sections'][0]['rows']:
        each['scores'] = [None, None]
    (folder / 'compare.json').write_text(json.dumps(found))
    with pytest.raises(ValueError, match='no student has a score; expected finished comparisons'):
        measure_frontier([folder])
    assert Frontier([], 'acc/top1').as_text()
