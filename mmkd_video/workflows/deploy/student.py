"""The trained student of a config, for everything that happens after training."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmkd_video.core.registry import build_model
from mmkd_video.pruning import CHECKPOINT_KEY, checked_history, unpruned_config
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.recognizers.weights import load_completely


def load_student(config: Config, checkpoint: str | Path) -> nn.Module:
    """Build the student of a config and load its weights, completely or not at all.

    Args:
        config: Of the student, of its distillation, or of a pruned model.
        checkpoint: Path or URL; read with ``weights_only=True``. A pruned one tells itself what was removed, so that
            the config of the unpruned student will do.

    Returns:
        The recognizer on the CPU, in eval mode.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: It does not belong to the config, or asks to run code.
    """
    loaded = read_checkpoint(checkpoint)
    settings = plain_student(config).model
    if CHECKPOINT_KEY in loaded:
        plain = unpruned_config(settings)
        settings = dict(type='PrunedRecognizer', recognizer=plain, history=checked_history(loaded[CHECKPOINT_KEY]))
    model = build_model(settings)
    load_completely(
        model,
        loaded.get('state_dict', loaded),
        f'{checkpoint} does not belong to {config.filename or "the config"}',
        'check backbone, depth and num_classes',
    )
    model.eval()
    return model


def read_checkpoint(checkpoint: str | Path) -> Mapping:
    """Read a checkpoint.

    Args:
        checkpoint: Path or URL.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be read, there are no weights in it, or it asks to run code.
    """
    if '://' not in str(checkpoint) and not Path(checkpoint).is_file():
        raise FileNotFoundError(f'checkpoint {str(checkpoint)!r} does not exist')
    loaded = CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu')
    weights = loaded.get('state_dict', loaded) if isinstance(loaded, Mapping) else None
    if not weights or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise ValueError(f'{checkpoint} holds no state_dict; expected a checkpoint of MMEngine')
    return loaded


def checkpoint_digest(checkpoint: str | Path) -> str | None:
    """Return the SHA-256 of a checkpoint file in hexadecimal digits; None for a URL."""
    if not Path(checkpoint).is_file():
        return None
    digest = hashlib.sha256()
    with open(checkpoint, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


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
