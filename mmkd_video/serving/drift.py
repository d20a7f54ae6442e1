"""Whether what a model sees is still what it was calibrated on, told from its scores alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from mmkd_video.core.mistakes import WrongValueError

STATISTICS = ('confidence', 'entropy', 'classes', 'logits')
RESAMPLES = 4000
LEAST_VIDEOS = 10
_LEAST = 1e-6  # of a probability, so that one that a runtime rounds to zero counts no more than this
_FLAT = 1e-6  # of a spread


@dataclass(frozen=True)
class Expected:
    """What a model's scores are like on average.

    Attributes:
        confidence: Mean score of the most probable class.
        entropy: Mean entropy of the scores, in nats.
        classes: ``(K,)`` mean scores: how often each class is expected.
        logits: ``(K,)`` mean logarithms of the scores, less their mean over the classes.
        spread: ``(K,)`` standard deviations of these, over windows.
    """

    confidence: float
    entropy: float
    classes: np.ndarray
    logits: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray) -> 'Expected':
        """Return it for some windows.

        Args:
            scores: ``(W, K)`` probabilities.
        """
        return Totals.of(scores).expected()

    def deviations(self, other: 'Expected') -> dict[str, float]:
        """Return how far other windows are from these, by statistic.

        ``confidence`` and ``entropy``: differences of the means, without a sign. ``classes``: the total variation of
        the class frequencies, 0 to 1. ``logits``: mean over the classes of the difference in standard deviations.

        Args:
            other: Statistics of the other windows.
        """
        shift = np.abs(other.logits - self.logits) / np.maximum(self.spread, _FLAT)
        return dict(
            confidence=abs(other.confidence - self.confidence),
            entropy=abs(other.entropy - self.entropy),
            classes=float(np.abs(other.classes - self.classes).sum() / 2),
            logits=float(shift.mean()),
        )


@dataclass(frozen=True)
class Totals:
    """Sums over windows, of which means follow; those of several videos are added, and taken away again.

    Attributes:
        count: Number of windows.
        sums: ``(2 + 2 K,)``: of the largest score, the entropy, each score and each logit.
        squares: ``(K,)``: of the squares of the logits.
    """

    count: int
    sums: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray) -> 'Totals':
        """Return those of some windows.

        Args:
            scores: ``(W, K)`` probabilities.
        """
        logs = np.log(np.maximum(scores, _LEAST))
        logits = logs - logs.mean(axis=1, keepdims=True)
        heads = np.stack([scores.max(axis=1), -(scores * logs).sum(axis=1)], axis=1)
        rows = np.concatenate([heads, scores, logits], axis=1)
        return cls(len(rows), rows.sum(axis=0), np.square(logits).sum(axis=0))

    def plus(self, other: 'Totals', sign: int = 1) -> 'Totals':
        """Return these with others, or without them where the sign is -1."""
        return Totals(
            self.count + sign * other.count, self.sums + sign * other.sums, self.squares + sign * other.squares
        )

    def expected(self) -> Expected:
        """Return the means."""
        means, number = self.sums / self.count, len(self.squares)
        logits = means[2 + number :]
        spread = np.sqrt(np.maximum(self.squares / self.count - np.square(logits), 0))
        return Expected(float(means[0]), float(means[1]), means[2 : 2 + number], logits, spread)


def limits_of(
    videos: Sequence[np.ndarray], windows: int, false_alarms: float, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, float]:
    """Return how far a block of windows may be from what is expected, by statistic.

    Windows of one video are alike, so that whole videos are drawn: a block is made of videos in random order, or of a
    piece of one where that is long enough, and is compared with the videos that are not in it. The limit of each
    statistic is a quantile of what is found; the share of false alarms is divided among the statistics, so that all
    together have at most that share.

    Args:
        videos: Scores ``(W, K)`` of each video, of ordinary data.
        windows: Number of windows of a block.
        false_alarms: Share of the blocks of ordinary data that may be taken for drift, above 0 and below 1.
        resamples: Number of blocks that are drawn.
        seed: Seed of the draws.

    Raises:
        ValueError: There are too few videos, or too few windows.
    """
    total = sum(map(len, videos))
    if len(videos) < LEAST_VIDEOS or total < 2 * windows:
        raise WrongValueError(
            f'--calibrate: got {len(videos)} videos of {total} windows in all; expected at least {LEAST_VIDEOS} videos '
            f'of {2 * windows} windows, two blocks of {windows}; give more videos, or fewer --watch-windows'
        )
    draw = np.random.default_rng(seed)
    of_videos = [Totals.of(video) for video in videos]
    whole = reduce(Totals.plus, of_videos)
    found: dict[str, list[float]] = {name: [] for name in STATISTICS}
    for _ in range(resamples):
        block, rest, missing = None, whole, windows
        for place in draw.permutation(len(videos))[:-1]:  # one video stays, to be compared with
            video, totals = videos[place], of_videos[place]
            begin = int(draw.integers(len(video) - missing + 1)) if len(video) > missing else 0
            part = totals if len(video) <= missing else Totals.of(video[begin : begin + missing])
            block, rest = part if block is None else block.plus(part), rest.plus(totals, -1)
            missing -= part.count
            if not missing:
                break
        for name, value in rest.expected().deviations(block.expected()).items():
            found[name].append(value)
    quantile = 1 - false_alarms / len(STATISTICS)
    return {name: float(np.quantile(values, quantile, method='higher')) for name, values in found.items()}


@dataclass(frozen=True)
class Drift:
    """A block of windows in which something is not as expected.

    Attributes:
        start: Time at which its first window begins, in seconds.
        end: Time at which its last window ends.
        windows: Number of its windows.
        found: Deviation and its limit, by statistic; of those beyond their limits.
    """

    start: float
    end: float
    windows: int
    found: Mapping[str, tuple[float, float]]

    def as_dict(self) -> dict:
        """Return everything, ready for JSON."""
        found = {
            name: dict(deviation=round(value, 6), limit=round(limit, 6)) for name, (value, limit) in self.found.items()
        }
        return {'drift': {'start': round(self.start, 3), 'end': round(self.end, 3), 'windows': self.windows, **found}}

    def __str__(self) -> str:
        parts = ', '.join(
            f'{name} off by {value:.3g}, limit {limit:.3g}' for name, (value, limit) in self.found.items()
        )
        return f'drift from {self.start:.1f} to {self.end:.1f} s: {parts}'


class DriftWatch:
    """Looks at a stream's scores block by block; tells where a drift begins, once.

    Blocks do not overlap, so that each is one test. After a drift was told, nothing is told until a block is within all
    limits again.

    Args:
        expected: Statistics of the scores on ordinary data.
        limits: Largest deviation of a block from these, by statistic.
        windows: Number of windows of a block.
    """

    def __init__(self, expected: Expected, limits: Mapping[str, float], windows: int) -> None:
        self.expected, self.limits, self.windows = expected, limits, windows
        self._block: list[np.ndarray] = []
        self._start = 0.0
        self._drifted = False

    def add(self, scores: np.ndarray, start: float, end: float) -> Drift | None:
        """Take the next window; return the drift that was found with it.

        Args:
            scores: ``(K,)`` probabilities.
            start: Time at which the window begins, in seconds.
            end: Time at which it ends.
        """
        if not self._block:
            self._start = start
        self._block.append(np.array(scores, dtype=np.float64))
        if len(self._block) < self.windows:
            return None
        values = self.expected.deviations(Expected.of(np.stack(self._block)))
        self._block = []
        found = {name: (values[name], limit) for name, limit in self.limits.items() if values[name] > limit}
        before, self._drifted = self._drifted, bool(found)
        return Drift(self._start, end, self.windows, found) if found and not before else None
