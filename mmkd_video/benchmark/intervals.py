"""Medians with intervals that assume no distribution: timings have long tails."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from mmkd_video.core.mistakes import WrongValueError


@dataclass(frozen=True)
class Interval:
    """A median and its interval.

    Attributes:
        median: Median of the sample.
        low: Lower end of the interval for the median of all such measurements.
        high: Upper end.
        coverage: Probability that the interval holds it, 0 to 1; below the one asked for where the sample is too small.
    """

    median: float
    low: float
    high: float
    coverage: float


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the median and its exact interval between two order statistics.

    The number of values below the true median is binomial with p = 1/2, so the interval from the k-th smallest to the
    k-th largest of n values misses it with probability ``2 * P(B(n, 1/2) < k)``; the narrowest that keeps
    ``confidence`` is taken. Fewer than 6 values cannot reach 95 %: then it spans them all.
    Source: Conover, Practical Nonparametric Statistics, 3rd edition, section 3.2.

    Args:
        values: Independent measurements of one quantity.
        confidence: Coverage of the interval, above 0 and below 1.

    Raises:
        ValueError: No values, or ``confidence`` out of range.
    """
    if not values:
        raise WrongValueError('values: got none; expected at least one measurement')
    if not 0 < confidence < 1:
        raise WrongValueError(f'confidence: got {confidence}; expected a number above 0 and below 1')
    ordered, count = sorted(values), len(values)
    depth, missed = 1, 2 * 0.5**count
    below = missed
    while depth < (count + 1) // 2:
        below += 2 * math.comb(count, depth) * 0.5**count
        if below > 1 - confidence:
            break
        depth, missed = depth + 1, below
    return Interval(median(ordered), ordered[depth - 1], ordered[count - depth], max(0.0, 1 - missed))


def paired_ratios(whole: Sequence[float], *parts: Sequence[float]) -> list[float]:
    """Return, round by round, ``whole / sum(parts)``.

    Pairing within a round cancels what slows a machine down for longer than a round.

    Args:
        whole: One measurement a round.
        *parts: The same number of measurements of each part.

    Raises:
        ValueError: The lengths differ, or there is no part.
    """
    lengths = [len(each) for each in (whole, *parts)]
    if not parts or len(set(lengths)) > 1:
        raise WrongValueError(
            f'got {lengths} measurements; expected the same number of the whole and of at least one part'
        )
    return [first / sum(others) for first, *others in zip(whole, *parts, strict=True)]
