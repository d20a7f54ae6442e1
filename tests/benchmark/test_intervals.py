import math

import pytest

from mmkd_video.benchmark import median_interval, paired_ratios


def test_twenty_values_give_the_tabled_order_statistics():
    interval = median_interval([float(i) for i in range(20, 0, -1)])
    assert (interval.median, interval.low, interval.high) == (10.5, 6.0, 15.0)
    below = sum(math.comb(20, k) for k in range(6)) / 2**20
    assert interval.coverage == pytest.approx(1 - 2 * below)
    assert interval.coverage == pytest.approx(0.9586, abs=1e-4)


@pytest.mark.parametrize(('count', 'low', 'high'), [(6, 1, 6), (9, 2, 8), (10, 2, 9), (25, 8, 18)])
def test_smaller_and_odd_samples(count, low, high):
    interval = median_interval(list(range(1, count + 1)))
    assert (interval.low, interval.high) == (low, high)
    assert interval.coverage >= 0.95


def test_too_few_values_span_the_sample_and_say_so():
    interval = median_interval([3.0, 1.0])
    assert (interval.median, interval.low, interval.high, interval.coverage) == (2.0, 1.0, 3.0, 0.5)
    assert median_interval([7.0]).coverage == 0


def test_ratios_are_taken_within_rounds():
    assert paired_ratios([3.0, 12.0], [1.0, 2.0], [1.0, 4.0]) == [1.5, 2.0]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match='got none'):
        median_interval([])
    with pytest.raises(ValueError, match='confidence: got 95'):
        median_interval([1.0], 95)
    with pytest.raises(ValueError, match=r'\[2, 1\]'):
        paired_ratios([1.0, 2.0], [1.0])
