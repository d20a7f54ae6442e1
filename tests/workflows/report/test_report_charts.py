"""Charts as data, as SVG and as PNG."""

import math

import numpy as np
import pytest

from mmkd_video.workflows.compare.arms import ALONE, AS_LONG, DISTILLED
from mmkd_video.workflows.report.answers import Answers
from mmkd_video.workflows.report.chart import MOST_POINTS, Axis, Chart, Dots, Line
from mmkd_video.workflows.report.differences import changed_confusions, paired, telling_clips
from mmkd_video.workflows.report.looks import COLORS, SHAPES, arms_of
from mmkd_video.workflows.report.markup import Markup, element, table
from mmkd_video.workflows.report.picture import draw_png
from mmkd_video.workflows.report.svg import draw_svg


def chart_of(lines=(), dots=(), x=None, y=None):
    return Chart('a', 'Title <b>', 'caption', x or Axis('x'), y or Axis('y'), lines, dots, [('a', 'alone', 'line')])


def answers_of(rows, labels, count=3):
    rows, labels = np.array(rows), np.array(labels)
    mean = np.zeros((len(labels), count))
    for each in rows:
        mean[np.arange(len(labels)), each] += 1 / len(rows)
    ones = np.ones(rows.shape)
    return Answers(
        list(range(len(rows))), rows, ones, ones, mean, labels, np.array([f'{at}' for at in range(len(labels))])
    )


@pytest.mark.parametrize(
    ('axis', 'values', 'texts'),
    [
        (Axis('x'), [0.0, 1.0], ['0', '0.25', '0.5', '0.75', '1']),
        (Axis('x'), [3.0, 3.0], ['2.9', '3', '3.1']),
        (Axis('x'), [0.0, 0.0], ['-1', '-0.5', '0', '0.5', '1']),
        (Axis('x', is_log=True), [1.0, 10.0], ['1', '2', '5', '10']),
        (Axis('x', names=('a', 'b')), [], ['a', 'b']),
        (Axis('x', is_whole=True), [1.0, 2.0], ['1', '2']),
        (Axis('x', within=0.0), [10.0, 20.0], ['0', '5', '10', '15', '20']),
        (Axis('x'), [], ['0', '0.25', '0.5', '0.75', '1']),
    ],
)
def test_ticks_are_round_numbers_between_the_ends(axis, values, texts):
    low, high = axis.ends(values)
    assert low < high and all(low <= value <= high for value in values)
    assert [text for _, text in axis.ticks(low, high)] == texts


def test_a_value_that_is_not_finite_is_a_gap():
    line = Line([(0, 1.0), (1, math.nan), (2, math.inf), (3, 2.0), (4, 3.0)], 'alone')
    assert line.parts() == [[(0, 1.0)], [(3, 2.0), (4, 3.0)]]
    drawn = draw_svg(chart_of([line]))
    assert 'nan' not in drawn and 'inf' not in drawn


def test_very_many_points_are_thinned_out():
    (part,) = Line([(float(at), 1.0) for at in range(10_000)], 'alone').parts()
    assert len(part) <= MOST_POINTS and {y for _, y in part} == {1.0}


@pytest.mark.parametrize('draw', [draw_svg, draw_png])
@pytest.mark.parametrize('shape', sorted(set(SHAPES.values())))
def test_everything_can_be_drawn(draw, shape):
    lines = [Line([(1.0, 2.0), (2.0, 3.0)], 'distilled', kind) for kind in ('seed', 'mean', 'goal', 'guide')]
    dots = [Dots([(1.0, 2.0), (math.nan, 1.0), (2.0, -1.0)], 'alone', shape, is_large=True)]
    assert draw(chart_of(lines, dots, Axis('$x_{$', is_log=True), Axis('y', names=('a', '$b^$'))))
    assert draw(chart_of()), 'nothing at all'
    assert draw(chart_of([Line([(0.0, -1.0)], 'alone')], (), None, Axis('y', is_log=True)))


def test_what_stands_in_an_element_is_escaped():
    made = element('p', '<b>', Markup('<i>'), None, class_='a"b', hidden=True, title=None)
    assert made == '<p class="a&quot;b" hidden>&lt;b&gt;<i></p>'
    assert '<b>' not in table([['<b>', 'x'], ['<b>', '<b>']]) and '<b>' not in draw_svg(chart_of())


def test_arms_are_told_apart_by_colour_and_shape():
    named = [(f'{DISTILLED}: {at}', DISTILLED) for at in range(3)] + [
        (AS_LONG, AS_LONG),
        (ALONE, ALONE),
        (ALONE, ALONE),
    ]
    arms = arms_of(named)
    assert [arm.kind for arm in arms] == [ALONE, AS_LONG, DISTILLED, DISTILLED, DISTILLED]
    assert len({arm.look for arm in arms}) == len({arm.shape for arm in arms}) == 5
    assert arms[0].look == 'alone' and arms[2].look == 'distilled'


def luminance(color):
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize('screen', [0, 1])
def test_colours_stand_out_from_both_papers(screen):
    paper = luminance(('#f4f5f7', '#1a1f25')[screen])
    for name, colors in COLORS.items():
        brighter, darker = sorted((luminance(colors[screen]), paper), reverse=True)
        assert (brighter + 0.05) / (darker + 0.05) >= 4, name


def test_confusions_mended_and_made():
    alone, taught = answers_of([[1, 1, 1, 2]], [0, 0, 1, 2]), answers_of([[0, 1, 2, 2]], [0, 0, 1, 2])
    mended, made = changed_confusions(paired(alone, taught), 5)
    assert [(each.label, each.answer, each.alone, each.taught) for each in mended] == [(0, 1, 2.0, 1.0)]
    assert [(each.label, each.answer, each.change) for each in made] == [(1, 2, 1.0)]
    assert paired(alone, taught).flips() == dict(both=1.0, mended=1.0, made=1.0, neither=1.0)


def test_only_seeds_and_clips_of_both_are_compared():
    alone, taught = answers_of([[0], [1]], [0]), answers_of([[0]], [0])
    assert paired(alone, taught).count == 1
    assert paired(alone, answers_of([[0, 0]], [0, 0])) is None and paired(alone, None) is None
    assert paired(alone, answers_of([[0]], [0], count=4)) is None


def test_clips_are_chosen_for_what_they_show():
    labels = [0, 1, 2, 0, 1, 2]
    alone = answers_of([[1, 1, 0, 0, 0, 2]], labels)
    taught = answers_of([[0, 1, 2, 1, 0, 2]], labels)
    found = paired(alone, taught)
    assert telling_clips(found, 8) == [('mended', 0), ('mended', 2), ('made', 3), ('hard', 4), ('easy', 1), ('easy', 5)]
    assert len(telling_clips(found, 3)) == 3 and telling_clips(found, 0) == []


def test_a_clip_is_shown_once():
    found = paired(answers_of([[1], [1], [1]], [0]), answers_of([[0], [1], [1]], [0]))
    assert telling_clips(found, 8) == [('mended', 0)]
