"""One line for each model in each runtime, and the picture of them."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from mmkd_video.benchmark import Deployment, DeploymentReport, Row, draw_deployments
from mmkd_video.benchmark.picture import COLORS, MARKERS, SPARE_COLORS, SPARE_MARKERS, assign_looks, label_offsets


def line(model='teacher', runtime='eager', threads=2, seconds=0.1, accuracy=0.9):
    return Deployment(model, runtime, threads, [seconds] * 9 + [3 * seconds], [8.0], 2_000_000, 1000, 0.5, accuracy)


@pytest.fixture
def report():
    lines = [line(), line('student', 'openvino int8', seconds=0.004, accuracy=0.89), line(threads=1, seconds=0.2)]
    return DeploymentReport('Models', lines, {'processor': 'some'}, [Row('drop', 1.0, 'count', None, 0.5)])


def test_latency_is_the_median_and_p90_what_nine_in_ten_keep_to():
    one = Deployment('a', 'eager', 1, [float(i) for i in range(1, 11)], [2.0], 1)
    assert one.latency == 5.5
    assert one.p90 == 10.0 and Deployment('a', 'eager', 1, [1.0] * 19 + [9.0], [2.0], 1).p90 == 1.0


def test_each_side_has_the_threads_that_suit_it_best(report):
    assert report.best('teacher', 'eager') is report.deployments[0]
    report.deployments.append(line(threads=1, seconds=0.05))
    assert report.best('teacher', 'eager') is report.deployments[-1]


def test_speedup_is_over_the_first_line_with_as_many_threads(report):
    first, student, single = report.deployments
    assert report.speedup(student) == pytest.approx(25)
    assert report.speedup(first) == report.speedup(single) == 1


def test_speedup_counts_clips_side_by_side_where_these_are_more(report):
    first, student, _ = report.deployments
    first.side_by_side, student.side_by_side = [7.0, 8.0, 9.0], [490.0, 500.0, 510.0]
    assert (first.clips_per_second, student.clips_per_second) == (10, 500)  # 1 / 0.1 s are more than 8
    assert report.speedup(student) == 50


def test_tables_show_every_line_and_what_was_not_met(report):
    report.deployments.append(Deployment('file', 'openvino', 2, [0.1], [10.0], 5))
    text, markdown = report.as_text(), report.as_markdown()
    assert 'student  openvino int8' in text and '4.00 ms' in text and '12.00 ms      250  25.0          8' in text
    assert '| file | openvino | 2 | 100.00 ms | 100.00 ms | 10 | 1.0 | 10 | - | 0.00 MB | - | - | - |' in markdown
    assert 'drop 1 <= 0.50 NOT met (some)' in text and '- drop 1 <= 0.50 NOT met (some)' in markdown.splitlines()


def test_what_other_load_forbade_to_measure_is_no_number(report):
    report.deployments[0].latencies, report.deployments[0].throughputs = [], []
    row = '| teacher | eager | 2 | not measured: other load | - | - | - | - | - | 2.00 MB | 0.00 M | 0.500 | 90.00 |'
    assert row in report.as_markdown().splitlines()
    assert report.speedup(report.deployments[1]) is None and report.clips_ratio(report.deployments[1]) is None
    assert report.best('teacher', 'eager') is report.deployments[2]


def test_the_ratio_of_clips_a_second_is_taken_within_rounds_where_both_are_of_the_same(report):
    first, student, _ = report.deployments
    first.latencies, student.latencies = [1.0, 2.0, 4.0] * 3, [0.5, 1.0, 2.0] * 3
    found = report.clips_ratio(student)
    assert (found.median, found.low, found.high) == (0.5, 0.5, 0.5)
    student.side_by_side = [4.0, 5.0, 6.0] * 3
    found = report.clips_ratio(student)  # 1 over 1, 2 and 4 seconds, and 4 to 6 at once
    assert (found.median, found.low, found.high) == (0.1, 0.25 / 6, 1.0 / 4)


def test_reads_back_what_it_saved(report):
    saved = json.loads(json.dumps(report.as_dict()))
    assert saved['targets'][0]['verdict'] == 'NOT met'
    again = DeploymentReport.from_dict(saved)
    assert again == report


def test_picture_names_models_runtimes_and_axes(report, tmp_path):
    path = draw_deployments(report, tmp_path / 'new' / 'deploy.svg')
    comments = ElementTree.parse(path, ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True)))
    drawn = ' '.join(node.text or '' for node in comments.iter())  # matplotlib keeps texts as comments beside glyphs
    for text in ('teacher', 'student', 'eager', 'openvino int8', 'latency', 'top-1'):
        assert text in drawn, text


def test_names_stay_within_the_axes(report, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    kept = []
    monkeypatch.setattr(Figure, 'savefig', lambda figure, file, **_: (kept.append(figure), file.write(b'drawn')))
    ends = [line('student of a very long name', seconds=0.0004), line('another one of a long name', seconds=0.05)]
    report.deployments = [*ends, line('low', seconds=0.004, accuracy=0.1)]
    draw_deployments(report, tmp_path / 'a.png')
    kept[0].draw_without_rendering()
    (axes,) = kept[0].axes
    room = axes.get_window_extent()
    for label in axes.texts:
        taken = label.get_window_extent()
        assert room.x0 < taken.x0 and taken.x1 < room.x1 and room.y0 < taken.y0 and taken.y1 < room.y1, label


def test_a_runtime_and_a_model_look_alike_in_every_picture():
    few, many = ['openvino', 'mine'], ['compile', 'openvino', 'eager', 'mine']
    assert assign_looks(few, MARKERS, 'X*') == {'openvino': '^', 'mine': 'X'}
    assert assign_looks(many, MARKERS, 'X*')['openvino'] == '^' and assign_looks(many, MARKERS, 'X*')['mine'] == 'X'
    assert len(set(MARKERS.values()) | set(SPARE_MARKERS)) == len(MARKERS) + len(SPARE_MARKERS)
    assert len(set(COLORS.values()) | set(SPARE_COLORS)) == len(COLORS) + len(SPARE_COLORS)


@pytest.mark.parametrize('color', [*COLORS.values(), *SPARE_COLORS])
def test_words_in_every_colour_can_be_read_on_white(color):
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    assert 1.05 / (np.dot([0.2126, 0.7152, 0.0722], linear) + 0.05) >= 4.5  # WCAG 2, level AA


def test_names_of_close_points_do_not_overlap():
    close = [line('a', seconds=0.010), line('b', seconds=0.012), line('c', seconds=0.5), line('d', accuracy=0.5)]
    assert label_offsets(close) == [9, -18, 9, 9]
    assert len(set(label_offsets([line(str(i)) for i in range(4)]))) == 4


def test_nothing_to_draw_is_an_error(report, tmp_path):
    report.deployments = [line(accuracy=None)]
    with pytest.raises(ValueError, match='no model has an accuracy'):
        draw_deployments(report, tmp_path / 'a.png')
