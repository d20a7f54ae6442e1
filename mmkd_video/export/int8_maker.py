"""The interface of what makes the int8 files of a backend."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import nn

from mmkd_video.export.metadata import ExportMetadata
from mmkd_video.quantization import ConvolutionCount, QuantizationResult


class Int8Maker(ABC):
    """A library that makes models in int8, for the backend that names it in ``int8_maker``.

    A graph is the model as this library holds it; whoever makes files passes it from one method to the next.

    Attributes:
        packages: Extras of mmkd_video by the package that each brings, without those of the backend.
    """

    packages: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def load_libraries(self) -> None:
        """Load what is needed before any clip is decoded.

        Raises:
            MissingExtraError: A package is not installed.
        """

    @abstractmethod
    def calibrate(
        self,
        exported: Any,
        calibration: Sequence[np.ndarray],
        validation: Sequence[np.ndarray],
        score: Callable[[np.ndarray], float],
        max_drop: float,
        preset: str,
    ) -> QuantizationResult:
        """Quantize an open float file, and leave as many layers in float as the score needs.

        Args:
            exported: The open file of the backend.
            calibration: Clips to calibrate on, each ``(M, ...)``.
            validation: Clips to score on, each ``(M, ...)``.
            score: Function that scores ``(N, K)`` probabilities of ``validation``; larger is better.
            max_drop: Largest loss of score.
            preset: ``'mixed'`` or ``'performance'``.

        Raises:
            ValueError: There are no clips, or one has another shape.
            DropTooLargeError: The score falls by more; holds the best try.
            RuntimeError: The model cannot be quantized, or not be run in int8.
        """

    @abstractmethod
    def convert(self, model: nn.Module, clips: np.ndarray) -> Any:
        """Return the graph of a model with the quantizers that it was trained with.

        Args:
            model: A :class:`DeployableRecognizer`.
            clips: ``(N, M, ...)`` of the shape and type that the file is to take.

        Raises:
            RuntimeError: It cannot be converted.
        """

    @abstractmethod
    def classify(self, graph: Any, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Return ``(N, K)`` probabilities.

        Args:
            graph: Graph in int8.
            clips: ``N`` clips, each ``(M, ...)``.

        Raises:
            ValueError: A clip has another shape than the graph takes.
            RuntimeError: The graph cannot be run in int8; the message says what to do.
        """

    @abstractmethod
    def write(self, graph: Any, path: Path, metadata: ExportMetadata, force: bool = False) -> None:
        """Write a graph as the files of the backend.

        Args:
            graph: Graph in int8.
            path: The first file.
            metadata: Description that the file carries of itself.
            force: Whether existing files may be replaced.

        Raises:
            FileExistsError: A file exists.
        """

    @abstractmethod
    def count_convolutions(self, exported: Any) -> ConvolutionCount:
        """Count the convolutions that really run in int8.

        Args:
            exported: The open file of the backend.
        """
