"""Means with intervals: values from tables and by hand."""

import math

import pytest

from mmkd_video.workflows.compare.intervals import Gain, Interval, bootstrap_interval, closed_gap, student_interval

GAINS = [0.07, 0.09, 0.28]


@pytest.mark.parametrize(('count', 'quantile'), [(2, 12.7062047362), (3, 4.3026527297), (10, 2.2621571628)])
def test_student_interval_has_the_quantile_of_the_tables(count, quantile):
    values = [0.5 + 0.01 * number for number in range(count)]
    deviation = 0.01 * math.sqrt((count**2 - 1) / 12 * count / (count - 1))  # of equally spaced numbers
    found = student_interval(values)
    assert (found.high - found.low) / 2 == pytest.approx(quantile * deviation / math.sqrt(count), rel=1e-9)
    assert (found.high + found.low) / 2 == pytest.approx(0.5 + 0.005 * (count - 1))


def test_bootstrap_of_two_values_is_exact():
    # Of 0 and 1, a resample has the mean 0, 0.5 or 1 with probability 1/4, 1/2, 1/4: both ends are in the tails.
    assert bootstrap_interval([0.0, 1.0]) == Interval(0.0, 1.0)
    assert bootstrap_interval([0.0] * 9 + [1.0]) == pytest.approx(Interval(0.0, 0.3))  # P(more than 3 of 10) is 1.3 %


def test_bootstrap_is_repeatable_and_close_to_the_normal_interval():
    values = [number / 1000 for number in range(200)]
    found = bootstrap_interval(values)
    assert found == bootstrap_interval(values)
    half = 1.96 * 0.001 * math.sqrt((200**2 - 1) / 12) / math.sqrt(200)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.03)


def test_a_gain_is_shown_only_where_no_interval_holds_zero():
    gain = Gain(GAINS)
    assert gain.bootstrap.low > 0 > gain.student.low and gain.is_shown is False
    assert Gain([0.07, 0.08, 0.09]).is_shown is True
    assert Gain([-0.07, -0.08, -0.09]).is_shown is True
    assert Gain([0.07]).is_shown is None and Gain([0.07]).deviation is None and Gain([0.07]).student is None


def test_wins_worst_and_losses_are_counted_pair_by_pair():
    gain = Gain([0.02, 0.0, -0.01, -0.0125])
    assert (gain.wins, gain.worst) == (1, -0.0125)
    assert gain.losses(-0.01) == 1
    assert Gain([0.89 - 0.90]).losses(-0.01) == 0  # rounding puts it below


def test_closed_gap_is_the_ratio_of_means():
    share, interval = closed_gap([0.6, 0.8], [0.8, 0.9], 0.9)
    assert share == pytest.approx(0.15 / 0.2)
    assert interval.low == pytest.approx(0.2 / 0.3) and interval.high == pytest.approx(1.0)


def test_gap_that_is_not_there_has_no_share():
    assert closed_gap([0.9, 0.95], [0.95, 0.95], 0.9) == (None, None)
    share, interval = closed_gap([0.6], [0.75], 0.9)
    assert share == pytest.approx(0.5) and interval is None
    share, interval = closed_gap([0.5, 0.95], [0.6, 0.95], 0.9)  # in a quarter of the resamples there is no gap
    assert share == pytest.approx(0.05 / 0.175) and interval is None


def test_equal_pairs_and_missing_ones_show_nothing():
    assert Gain([0.05, 0.05]).is_shown is None
    assert Gain([0.07, 0.08, 0.09], missing=1).is_shown is False
