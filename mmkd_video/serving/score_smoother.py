"""Scores that do not flicker."""

import numpy as np

from mmkd_video.core.mistakes import WrongValueError


class ScoreSmoother:
    """An exponential moving average over windows.

    ``s_k = past * s_(k-1) + (1 - past) * p_k``, beginning with the first window's own scores.

    Args:
        past: Weight of what was before, from 0 (no smoothing) to below 1.

    Raises:
        ValueError: ``past`` is outside.
    """

    def __init__(self, past: float = 0.0) -> None:
        if not 0 <= past < 1:
            raise WrongValueError(f'smooth: got {past}, expected at least 0 and below 1')
        self.past = past
        self._state: np.ndarray | None = None
        self._segment = 0

    def __call__(self, scores: np.ndarray, segment: int = 0) -> np.ndarray:
        """Return smoothed scores.

        Args:
            scores: ``(K,)`` of the next window.
            segment: Number of the stream's segment; the average begins anew with each, as nobody knows what happened in
                between.
        """
        if not self.past or self._state is None or segment != self._segment:
            self._state = scores
        else:
            self._state = self.past * self._state + (1 - self.past) * scores
        self._segment = segment
        return self._state
