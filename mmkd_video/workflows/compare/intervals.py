"""Statistics of paired scores: means with intervals, wins, and the share of a gap that is closed."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An interval of a mean.

    Args:
        low: Lower end.
        high: Upper end.
    """

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Return whether a value lies in it, its ends included."""
        return self.low <= value <= self.high


def student_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """Return the interval of a mean by Student's t with ``n - 1`` degrees of freedom; None for fewer than two values.

    Args:
        values: Independent measurements.
        confidence: Coverage of the interval, above 0 and below 1.
    """
    if len(values) < 2:
        return None
    half = float(student_t.ppf((1 + confidence) / 2, len(values) - 1)) * _standard_error(values)
    mean = statistics.fmean(values)
    return Interval(mean - half, mean + half)


def bootstrap_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """Return the percentile interval of a mean over 10,000 resamples; None for fewer than two values.

    The resamples are drawn with one seed, so the same values always give the same interval.

    Args:
        values: Independent measurements.
        confidence: Coverage of the interval, above 0 and below 1.
    """
    if len(values) < 2:
        return None
    return _percentiles(np.asarray(values, dtype=float)[_draws(len(values))].mean(axis=1), confidence)


@dataclass(frozen=True)
class Gain:
    """Scores of one arm minus those of another, pair by pair.

    Args:
        pairs: The differences.
        missing: Pairs of which one side has no result; what is there then shows nothing.
    """

    pairs: list[float]
    missing: int = 0

    @property
    def mean(self) -> float:
        """Mean difference."""
        return statistics.fmean(self.pairs)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation; None for a single pair."""
        return statistics.stdev(self.pairs) if len(self.pairs) > 1 else None

    @property
    def student(self) -> Interval | None:
        """95 % interval by Student's t."""
        return student_interval(self.pairs)

    @property
    def bootstrap(self) -> Interval | None:
        """95 % interval by bootstrap over the pairs."""
        return bootstrap_interval(self.pairs)

    @property
    def wins(self) -> int:
        """Pairs with a difference above zero."""
        return sum(each > 0 for each in self.pairs)

    @property
    def worst(self) -> float:
        """The smallest difference."""
        return min(self.pairs)

    @property
    def is_shown(self) -> bool | None:
        """Whether both intervals leave zero out and no pair is missing; None for equal pairs, which tell no spread."""
        if self.student is None or self.bootstrap is None or not self.deviation:
            return None
        return not self.missing and not (self.student.holds(0.0) or self.bootstrap.holds(0.0))

    def losses(self, limit: float) -> int:
        """Return the number of pairs below a limit.

        Args:
            limit: Limit, such as -0.01: one point of accuracy.
        """
        return sum(each < limit - 1e-9 for each in self.pairs)  # 0.89 - 0.90 is not below -0.01


def closed_gap(
    baseline: Sequence[float], improved: Sequence[float], goal: float
) -> tuple[float | None, Interval | None]:
    """Return the share of the gap between the baseline's mean and a goal that the improved arm closes.

    Args:
        baseline: Scores, pair by pair.
        improved: Scores of the same pairs.
        goal: The teacher's score.

    Returns:
        The share (1: all of it), None where the goal is not above the baseline; and its 95 % interval by bootstrap over
        the pairs, None for fewer than two pairs or where the gap is closed or absent in too many resamples.
    """
    before, after = np.asarray(baseline, dtype=float), np.asarray(improved, dtype=float)
    gap = goal - before.mean()
    if gap <= 0:
        return None, None
    share = float((after.mean() - before.mean()) / gap)
    if len(before) < 2:
        return share, None
    draws = _draws(len(before))
    means, gains = before[draws].mean(axis=1), (after - before)[draws].mean(axis=1)
    gaps = goal - means
    if (gaps <= 0).mean() > (1 - CONFIDENCE) / 2:
        return share, None
    kept = gaps > 0
    return share, _percentiles(gains[kept] / gaps[kept], CONFIDENCE)


def _standard_error(values: Sequence[float]) -> float:
    return statistics.stdev(values) / math.sqrt(len(values))


def _draws(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(count, size=(RESAMPLES, count))


def _percentiles(values: np.ndarray, confidence: float) -> Interval:
    tail = 50 * (1 - confidence)
    low, high = np.percentile(values, [tail, 100 - tail])
    return Interval(float(low), float(high))
