"""Ratios of the time of one clip, in the same runtime first."""

import pytest

from mmkd_video.benchmark import Deployment, DeploymentReport
from mmkd_video.benchmark.speedups import Speedups, shown


def line(model, runtime, cpu, threads=1, two=None, of=None, wall=None):
    walls = [cpu * 2] * 6 if wall is None else wall
    return Deployment(model, runtime, threads, walls, [8.0], 10, cpu=[cpu] * 6, two=[two or 2 * cpu] * 6, of=of)


@pytest.fixture
def lines():
    return [
        line('teacher', 'eager', 0.016, two=0.02),
        line('teacher', 'openvino', 0.004),
        line('teacher', 'openvino int8', 0.0015),
        line('student', 'eager', 0.008),
        line('student', 'openvino', 0.001, two=0.001),
        line('file', 'openvino int8', 0.0011, of='student'),
        line('teacher', 'eager', 0.02, threads=2),
    ]


def medians(found, lines, name):
    return [None if (each := getattr(found, name)(line)) is None else round(each.median, 3) for line in lines]


def test_the_teacher_is_compared_in_the_same_its_best_and_its_first_runtime(lines):
    found = Speedups(lines)
    assert found.lines == lines[:6] and found.best is lines[2]
    assert medians(found, lines[3:6], 'over_same_runtime') == [2.0, 4.0, 1.364]
    assert medians(found, lines[3:6], 'over_best_runtime') == [0.188, 1.5, 1.364]
    assert medians(found, lines[3:6], 'over_first') == [2.0, 16.0, 14.545]
    assert medians(found, lines[3:6], 'over_pairs') == [1.25, 8.0, 1.364]
    del lines[2]
    assert medians(Speedups(lines), lines[4:5], 'over_same_runtime') == [None]  # no teacher in int8


def test_ratios_are_of_cpu_time_on_one_thread_and_else_of_wall_time(lines):
    assert (Speedups(lines).clock, Speedups(lines).seconds(lines[0])[0]) == ('CPU time', 0.016)
    lines[1].cpu = []  # an older record
    assert (Speedups(lines).clock, Speedups(lines).seconds(lines[0])[0]) == ('Wall time', 0.032)
    several = [line('teacher', 'eager', 0.02, threads=2), line('student', 'eager', 0.01, threads=2, wall=[])]
    found = Speedups(several)  # threads that wait count as CPU time
    assert (found.clock, found.lines) == ('Wall time', several[:1])


def test_other_load_leaves_the_ratios_of_cpu_time(lines):
    for each in lines:
        each.latencies = each.throughputs = []
    report = DeploymentReport('Models', lines, dict(processor='one with vnni'))
    text = report.as_markdown()
    assert 'CPU time of one clip on 1 thread' in text and 'Processor: one with vnni.' in text
    assert text.index('x, same runtime') < text.index('x, teacher in its best runtime') < text.index('clips/s')
    assert '| student | openvino | 1.00 ms | 4.00 (4.00 to 4.00) | 1.50 (1.50 to 1.50) | 16.0 (16.0 to 16.0) |' in text
    assert '| teacher | eager | 16.00 ms | 1 |' in text and '| 10.00 ms |' in text  # two together, each


def test_a_time_whose_interval_is_wide_is_no_number(lines):
    lines[5].cpu = [0.0011, 0.0014] * 3
    found = Speedups(lines)
    assert found.cells(lines[5])[2:6] == ('not measured: other load',) * 4
    assert not any('file in' in each for each in found.sentences())


def test_int8_is_told_beside_the_fastest_other_runtime_of_the_same_model(lines):
    told = Speedups(lines).sentences()
    assert told == [
        'teacher in openvino int8 takes 0.38 (0.38 to 0.38) times as long as teacher in openvino, the fastest of its '
        'other runtimes.',
        'file in openvino int8 takes 1.10 (1.10 to 1.10) times as long as student in openvino, the fastest of its '
        'other runtimes.',
    ]


def test_highlights_are_the_first_and_the_fastest_runtime_of_each_model_and_the_teacher_in_these(lines):
    report = DeploymentReport('Models', lines, dict(processor='one with vnni'))
    rows = [row.split(' | ')[:2] for row in report.highlights().splitlines() if row.startswith('| ')]
    assert rows[1:] == [
        ['| teacher', 'eager'], ['| teacher', 'openvino'], ['| teacher', 'openvino int8'], ['| student', 'eager'],
        ['| student', 'openvino'], ['| file', 'openvino int8'],
    ]  # fmt: skip
    assert (
        'Processor: one with vnni.' in report.highlights()
        and 'times as long as student in openvino' in report.highlights()
    )
    assert '| clips/s, 2 threads |' in report.highlights()


def test_where_nothing_was_measured_it_is_said():
    report = DeploymentReport('Models', [Deployment('teacher', 'eager', 2, [], [], 1)], dict(processor='one'))
    assert report.highlights() == 'Not measured: other load. Processor: one.'
    assert shown(None) == '-'
