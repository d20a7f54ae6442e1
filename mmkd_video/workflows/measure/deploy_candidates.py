"""The models that a deployment benchmark compares, and their files."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from mmkd_video.benchmark import tensor_bytes
from mmkd_video.core.files.digest import sha256_of
from mmkd_video.export import DeployableRecognizer, ExportedModel, ExportMetadata
from mmkd_video.recognizers.complexity import measure_complexity
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.deploy.quantize import quantize_student
from mmkd_video.workflows.deploy.quantized_student import MAX_DROP
from mmkd_video.workflows.deploy.student import StudentCheckpoint

CALIBRATION = 256  # training clips
Classify = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Candidate:
    """A trained recognizer.

    Args:
        name: Name in the table.
        config: Path of its config, or of its distillation's.
        checkpoint: Path of the recognizer's checkpoint.
        calibration: Number of training clips from which an int8 file takes its ranges.
        max_drop: Top-1 that the int8 file may lose, 0 to 1.
    """

    name: str
    config: str
    checkpoint: str
    calibration: int = CALIBRATION
    max_drop: float = MAX_DROP

    @cached_property
    def settings(self) -> Config:
        """The config."""
        return read_config(self.config)

    @cached_property
    def recognizer(self) -> nn.Module:
        """The recognizer with its weights, in eval mode."""
        return StudentCheckpoint.read(self.checkpoint).build(self.settings)

    def complexity(self, clip: np.ndarray) -> tuple[int, float | None]:
        """Return parameters and GFLOPs of one clip."""
        return measure_complexity(self.recognizer, torch.from_numpy(clip))

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights, which is what a checkpoint of the bare recognizer holds."""
        return tensor_bytes(self.recognizer.state_dict())

    def exported(self, backend: type[ExportedModel], folder: Path, clips: np.ndarray) -> Path:
        """Return the file that a backend wrote from this checkpoint; it is written if it is not there.

        Args:
            backend: The backend.
            folder: Folder of exported files.
            clips: ``(N, M, ...)`` of the shape and type that the file is to take.
        """
        path = self._path(folder, backend.written[0])
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            model = DeployableRecognizer(self.recognizer)
            metadata = ExportMetadata.describe(model, clips[:1])
            backend.export(model, path, clips[:1], metadata)
        return path

    def quantized(self, backend: type[ExportedModel], folder: Path, clips: np.ndarray) -> Path:
        """Return the int8 file that was made from this checkpoint; it is calibrated and written if it is not there.

        Args:
            backend: Backend with an ``int8_maker``.
            folder: Folder of exported files.
            clips: ``(N, M, ...)`` of the shape and type that the file is to take.
        """
        path = self._path(folder, f'_int8_{self.calibration}_{self.max_drop:g}{backend.written[0]}')
        if not path.exists():
            source = self.exported(backend, folder, clips)
            settings = dict(calibration=self.calibration, max_drop=self.max_drop, check=False)
            print(quantize_student(self.settings, source, path, **settings).summary)
        return path

    def _path(self, folder: Path, suffix: str) -> Path:
        name = ''.join(c if c.isalnum() else '_' for c in self.name)
        return folder / f'{name}_{sha256_of(self.checkpoint)[:12]}{suffix}'


def in_torch(model: Callable[[torch.Tensor], torch.Tensor]) -> Classify:
    """Return a function of arrays that runs a module without gradients."""

    def classify(clips: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(clips)).numpy()

    return classify
