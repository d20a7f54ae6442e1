"""What a reader of a comparison sees."""

import dataclasses

import pytest

from mmkd_video.workflows.compare.arms import ALONE, AS_LONG, DISTILLED
from mmkd_video.workflows.compare.picture import draw_comparison
from mmkd_video.workflows.compare.result import Comparison, Row, Section, Teacher
from mmkd_video.workflows.compare.table import as_markdown, as_text

UNTOUCHED = 'recipe untouched'


def row(kind, scores, label=UNTOUCHED, settings=None, **given):
    none = [None] * len(scores)
    cpu = [125.4] * len(scores)
    return Row(kind, kind, label, settings or {}, scores, none, [0.5] * len(scores), none, cpu, 700_000, 0.04, **given)


def comparison_of(alone, distilled, teacher=0.95, **given):
    rows = [row(ALONE, alone, teacher='teacher'), row(DISTILLED, distilled, teacher='teacher')]
    sections = [Section(UNTOUCHED, rows)]
    teachers = [Teacher('teacher', teacher, 2_100_000, None, 100.0, 200.0)]
    settings = dict(configs={'c': 'c.py'}, command='python tools/compare.py c.py', metric='acc/top1')
    return Comparison(**settings, seeds=list(range(len(alone))), teachers=teachers, sections=sections, **given)


def lines_of(comparison):
    return [' '.join(line.split()) for line in as_text(comparison).splitlines()]


def test_few_seeds_have_columns_and_differences_are_paired():
    found = lines_of(comparison_of([0.6, 0.8], [0.7, 0.7]))
    assert found[0] == 'params GFLOPs seed 0 seed 1 acc/top1 on test worst seed agreement training'
    assert found[2] == 'teacher 2.10 M - 95.00 3:20'
    assert found[3] == 'student alone 0.70 M 0.040 60.00 80.00 70.00 ± 14.14 60.00 50.00 2:05'
    difference = next(line for line in found if line.startswith('distilled - alone'))
    assert difference == (
        'distilled - alone +0.00 ± 14.14 -127.06 to +127.06 -10.00 to +10.00 1 of 2 -10.00 0 % (-67 to 29) '
        'no difference shown'
    )


def test_many_seeds_have_none_and_a_shown_gain_says_nothing_more():
    alone, distilled = [0.6 + 0.01 * number for number in range(5)], [0.8 + 0.012 * number for number in range(5)]
    text = as_text(comparison_of(alone, distilled))
    assert 'seed 4' not in text and '5 of 5' in text and 'over 5 seeds' in text
    assert 'no difference shown' not in text.partition('Last checkpoint')[0]


def test_a_single_seed_shows_nothing_about_others():
    text = as_text(comparison_of([0.6], [0.7]))
    assert '±' not in text and 'one seed, which shows nothing about other seeds' in text and '+10.00' in text
    assert '95 %' not in text and '29 %' in text


def test_a_teacher_that_is_not_better_has_no_gap():
    found = lines_of(comparison_of([0.6], [0.7], teacher=0.6))
    assert found[-3].split()[-1] == '-'
    assert 'The teacher is not better than the student alone (60.00 against 60.00): there is nothing' in found[-1]
    assert 'nothing to be learnt' not in lines_of(comparison_of([0.6], [0.7]))[-1]


def test_markdown_has_the_same_cells_and_the_command():
    lines = as_markdown(comparison_of([0.6, 0.8], [0.7, 0.7])).splitlines()
    assert '| student alone | 0.70 M | 0.040 | 60.00 | 80.00 | 70.00 ± 14.14 | 60.00 | 50.00 | 2:05 |' in lines
    assert lines[-1] == '`python tools/compare.py c.py`'
    assert len({line.count('|') for line in lines[:5]}) == 1


def grid():
    given = comparison_of([0.6, 0.8], [0.7, 0.7], chance=0.125)
    best = Section('each arm at its best', [row(ALONE, [0.8, 0.9], 'lr x2', {'lr': 2}), row(DISTILLED, [0.9, 0.9])])
    points = [
        Section(UNTOUCHED, given.sections[0].rows, in_grid=True),
        Section('lr x2', [row(ALONE, [0.8, 0.9]), row(DISTILLED, [0.79, 0.125])], in_grid=True),
    ]
    longer = row(AS_LONG, [0.7, None], of=DISTILLED, length='16 epochs')
    sections = [Section(UNTOUCHED, [*given.sections[0].rows, longer]), best, *points]
    return dataclasses.replace(given, sections=sections, missing=['student alone, as long, seed 1'])


def test_points_of_a_grid_say_how_often_a_promise_was_kept():
    found = lines_of(grid())
    assert (
        'lr x2 distilled 85.00 ± 7.07 45.75 ± 47.02 -39.25 ± 54.09 -525.26 to +446.76 0 of 2 -77.50 1 of 2 alone 0, '
        in next(line for line in found if line.startswith('lr x2'))
    )
    assert (
        'Student distilled: not more than one point below the student alone in 2 of 4 pairs; near chance in 1 runs.'
        in found
    )
    assert 'Each arm at its best' in found and 'setting' in found[found.index('Each arm at its best') + 2]
    assert 'MISSING, since they failed: student alone, as long, seed 1.' in found[-1]


def test_a_missing_pair_keeps_no_promise():
    rows = [row(ALONE, [0.6, 0.8, 0.7]), row(DISTILLED, [0.7, None, 0.7])]
    given = dataclasses.replace(comparison_of([0.6], [0.7]), seeds=[0, 1, 2], sections=[Section('lr x2', rows, True)])
    given = dataclasses.replace(given, sections=[Section(UNTOUCHED, rows), *given.sections])
    assert 'in 2 of 3 pairs, of which 1 are missing.' in as_text(given)


def test_a_brief_document_has_no_grid_and_no_trials():
    text = as_markdown(grid(), brief=True)
    assert 'Every point' not in text and 'in 2 of 4 pairs' in text and '**Each arm at its best**' in text


def test_json_comes_back(tmp_path):
    assert Comparison.from_dict(grid().as_dict()) == grid()
    with pytest.raises(ValueError, match='got format 1, expected 2'):
        Comparison.from_dict({'rows': []})


@pytest.mark.parametrize('comparison', [grid(), comparison_of([0.6], [0.7])])
def test_the_picture_is_drawn(tmp_path, comparison):
    path = draw_comparison(comparison, tmp_path / 'new' / 'c.png')
    assert path.read_bytes().startswith(b'\x89PNG')
