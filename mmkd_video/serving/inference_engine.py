"""A model that works while others do something else."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.export import ExportedModel


class InferenceEngine(ABC):
    """Several clips in the model at once.

    Results are asked for one by one, in whatever order the caller likes; so whoever asks in the order of submission
    gets them in order.

    Args:
        model: The exported model.
        requests: Number of clips at once.

    Raises:
        ValueError: ``requests`` is below 1, or the model's file fixes a larger batch than one.
    """

    def __init__(self, model: ExportedModel, requests: int = 2) -> None:
        if requests < 1:
            raise WrongValueError(f'requests: got {requests}, expected at least 1')
        if model.metadata.batch not in (None, 1):
            raise WrongValueError(
                f'{model.path} computes {model.metadata.batch} clips at once, but a stream has one at a time; export '
                'it with --batch 1 or --batch dynamic'
            )
        self.model, self.requests = model, requests

    @abstractmethod
    def submit(self, clip: np.ndarray) -> Callable[[], np.ndarray]:
        """Start on a clip; wait while the results of ``requests`` earlier ones were not asked for.

        Args:
            clip: ``(M, ...)``, as the model takes one sample. It must not be changed before its result is there.

        Returns:
            A function, to be called once: it waits for the result and returns ``(K,)`` probabilities.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of threads; every result must have been asked for."""
