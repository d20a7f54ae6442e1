"""An exported file in the place of a recognizer, so that MMEngine's runner tests it."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmkd_video.core.checked import Optional, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.export.loading import load_exported


@MODELS.register_module()
@checked(threads=Optional(Whole(1)), num_classes=Optional(Whole(1)))
class ExportedRecognizer(BaseModel):
    """A recognizer that runs an exported file; for validation and test, with the loaders and metrics of any other.

    Args:
        path: Path of the file, ``.onnx`` or ``.xml``.
        backend: Name of the runtime, such as ``'openvino'``; by the file's name by default.
        threads: CPU threads; the runtime's choice by default.
        precision: ``'f32'``, ``'bf16'`` or ``'int8'``; what the file says by default.
        num_classes: Number of classes of the data set; another number in the file is an error.
        architecture: Architecture of the config's model, such as ``Recognizer2D/MobileNetV2TSM/TSMHead``; another in
            the file is an error. Not checked by default.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file does not belong to the config, or an argument is not for it.
        MissingExtraError: The runtime is not installed.
    """

    def __init__(
        self,
        path: str,
        backend: str | None = None,
        threads: int | None = None,
        precision: str | None = None,
        num_classes: int | None = None,
        architecture: str | None = None,
    ) -> None:
        exported = load_exported(path, backend, threads, precision)
        metadata = exported.metadata
        # Frames are only stacked: the file normalises them itself.
        super().__init__(dict(type='mmaction.ActionDataPreprocessor', to_float32=False, format_shape=metadata.layout))
        classes = len(metadata.classes) if num_classes is None else num_classes
        metadata.expect_model(architecture or metadata.architecture, classes, path)
        self.exported = exported

    def forward(self, inputs: Tensor, data_samples: Sequence[Any] | None = None, mode: str = 'predict') -> Any:
        """Classify a batch.

        Args:
            inputs: ``(N, M, ...)`` raw frames.
            data_samples: MMAction2's, one for each sample; they get ``pred_score`` and ``pred_label``.
            mode: ``'predict'``, or ``'tensor'`` for the ``(N, K)`` probabilities alone.

        Raises:
            ValueError: Any other mode, or frames that the file does not take.
        """
        if mode not in ('predict', 'tensor'):
            raise WrongValueError(
                f"mode: got {mode!r}; an exported file cannot be trained, expected 'predict' or 'tensor'"
            )
        probabilities = torch.from_numpy(self.exported(inputs.cpu().numpy()))
        if mode == 'tensor':
            return probabilities
        for sample, row in zip(data_samples, probabilities, strict=True):
            sample.set_pred_score(row).set_pred_label(row.argmax(dim=-1, keepdim=True))
        return data_samples
