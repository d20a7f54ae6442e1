"""What a stream says about a window."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Prediction:
    """The scores of one window.

    Args:
        scores: ``(K,)`` probabilities, smoothed over windows where that was asked for.
        first: Number of the first picture, from 0.
        last: Number of the last.
        start: Time at which the first picture is shown, in seconds.
        end: Time at which the last is shown.
        latency: Number of seconds from the last picture to the scores.
        dropped: Number of windows dropped so far.
    """

    scores: np.ndarray
    first: int
    last: int
    start: float
    end: float
    latency: float
    dropped: int

    def top(self, classes: Sequence[str], count: int) -> list[tuple[str, float]]:
        """Return the most probable classes with their scores, best first.

        Args:
            classes: All names.
            count: Number of classes that are wanted.
        """
        best = np.argsort(-self.scores, kind='stable')[:count]
        return [(classes[index], float(self.scores[index])) for index in best]

    def as_dict(self, classes: Sequence[str], count: int) -> dict:
        """Return everything, ready for JSON.

        Args:
            classes: All names.
            count: Classes to name.
        """
        return {
            'start': round(self.start, 3),
            'end': round(self.end, 3),
            'frames': [self.first, self.last],
            'top': [{'class': name, 'score': round(score, 6)} for name, score in self.top(classes, count)],
            'latency_ms': round(self.latency * 1e3, 2),
            'dropped': self.dropped,
        }
