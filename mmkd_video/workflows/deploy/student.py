"""The trained student of a config, for everything that happens after training."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmkd_video.core.compression import compressions, in_order
from mmkd_video.core.files.digest import sha256_of
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.registry import build_model
from mmkd_video.pruning import PRUNING_KEY
from mmkd_video.quantization import QUANTIZATION_KEY
from mmkd_video.recognizers.plain_student import is_distillation, plain_student
from mmkd_video.recognizers.weights import load_completely


@dataclass(frozen=True)
class StudentCheckpoint:
    """A checkpoint of a student, read once.

    Args:
        path: The file, or a URL.
        weights: Tensors by key, as in a ``state_dict``.
        meta: Notes of MMEngine and our hooks on the training.
        compressions: The part that each registered compression wrote, by its key.
    """

    path: str
    weights: Mapping[str, Tensor]
    meta: Mapping[str, Any]
    compressions: Mapping[str, Any]

    @classmethod
    def read(cls, path: str | Path) -> 'StudentCheckpoint':
        """Read a checkpoint with ``weights_only=True``.

        Args:
            path: The file, or a URL.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It cannot be read, there are no weights in it, or it asks to run code.
        """
        if '://' not in str(path) and not Path(path).is_file():
            raise MissingFileError(f'checkpoint {str(path)!r} does not exist')
        loaded = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
        weights = loaded.get('state_dict', loaded) if isinstance(loaded, Mapping) else None
        if not weights or not all(isinstance(value, torch.Tensor) for value in weights.values()):
            raise WrongValueError(f'{path} holds no state_dict; expected a checkpoint of MMEngine')
        bare = weights is loaded
        found = {} if bare else {key: loaded[key] for key in compressions() if key in loaded}
        return cls(str(path), weights, {} if bare else loaded.get('meta') or {}, found)

    @property
    def pruning(self) -> str | None:
        """The history of a pruned student, as JSON text; None of one that has lost nothing."""
        return self.compressions.get(PRUNING_KEY)

    @property
    def quantization(self) -> Mapping | None:
        """The quantizers of a student that was trained in int8; None of one that was trained in float."""
        return self.compressions.get(QUANTIZATION_KEY)

    @cached_property
    def digest(self) -> str | None:
        """SHA-256 of the file in hexadecimal digits; None for a URL."""
        return sha256_of(self.path) if Path(self.path).is_file() else None

    def build(self, config: Config, as_trained: bool = False) -> nn.Module:
        """Build the student of a config with these weights, completely or not at all.

        Args:
            config: Config of the student, of its distillation, or of a pruned model. The checkpoint tells itself what
                was removed, so that the config of the unpruned student will do.
            as_trained: Whether to add what the weights do without too, such as quantizers; else they stay away and the
                student computes in float.

        Returns:
            The recognizer on the CPU, in eval mode.

        Raises:
            ValueError: It does not belong to the config, or two of its compressions do not go together.
            MissingExtraError: A package that a compression needs is not installed.
        """
        model = build_model(self.model_config(plain_student(config).model))
        load_completely(
            model,
            self.weights,
            f'{self.path} does not belong to {config.filename or "the config"}',
            'check backbone, depth and num_classes',
        )
        model.eval()
        for each in in_order(self.compressions):
            if each.needed or as_trained:
                each.apply(model, self.compressions[each.key])
        return model

    def model_config(self, model: Mapping) -> Mapping:
        """Return the config of the model that the weights fit.

        Args:
            model: The config of the recognizer, compressed or not; it is not changed.
        """
        for each in in_order(self.compressions):
            if each.needed:
                model = each.model_config(model, self.compressions[each.key])
        return model

    def fit_config(self, config: Config) -> None:
        """Let a config build the model that the weights fit.

        Args:
            config: Config of a student, or of its distillation; changed in place.
        """
        if not any(each.needed for each in in_order(self.compressions)):
            return
        owner, key = (config.model, 'student') if is_distillation(config) else (config, 'model')
        plain = owner[key]
        fitting = self.model_config(plain.to_dict() if hasattr(plain, 'to_dict') else plain)
        owner[key] = None  # else the uncompressed model's keys would be merged in
        owner[key] = dict(fitting)


def model_parts(model: Mapping) -> tuple[str, int | None]:
    """Return the architecture and the number of classes that a model's config names, without building it.

    Args:
        model: ``dict(type='Recognizer2D', backbone=..., cls_head=...)``, or one that holds such a dict.

    Returns:
        Such as ``('Recognizer2D/MobileNetV2TSM/TSMHead', 8)``; ``('', None)`` where there is no such dict.
    """
    if 'backbone' not in model:
        inner = (value for value in model.values() if isinstance(value, Mapping))
        return next((found for found in map(model_parts, inner) if found[0]), ('', None))
    head = model.get('cls_head') or {}
    types = [part.get('type', '') for part in (model, model['backbone'], head)]
    names = [kind if isinstance(kind, str) else kind.__name__ for kind in types]
    return '/'.join(name.rpartition('.')[2] for name in names), head.get('num_classes')
