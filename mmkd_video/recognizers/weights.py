"""Weights of recognizers: reading, comparing with a model, loading completely or not at all."""

import hashlib
import json
import os.path as osp
from collections.abc import Mapping

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmkd_video.compat.file_address import without_scheme
from mmkd_video.compat.safe_load import UnreadableCheckpointError
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.recognizers.authors_names import weights_in, with_own_names

IGNORED_KEYS = ('num_batches_tracked',)


def load_weights(model: nn.Module, checkpoint: str) -> None:
    """Load a checkpoint into a model, completely or not at all.

    Args:
        model: The recognizer.
        checkpoint: Path or URL of an MMAction2 checkpoint, or of one of VideoMAE's authors; ``file:///...`` too. It is
            read with ``weights_only=True``.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The checkpoint cannot be read or belongs to another architecture.
    """
    checkpoint = without_scheme(checkpoint)
    if '://' not in checkpoint and not osp.isfile(checkpoint):
        raise MissingFileError(
            f'teacher.checkpoint: {checkpoint!r} does not exist; train the teacher first, name another file, '
            'or write checkpoint=None if untrained weights are meant'
        )
    try:
        loaded = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    except UnreadableCheckpointError as error:
        raise WrongValueError(f'teacher.checkpoint: {error}') from None
    load_completely(
        model,
        with_own_names(weights_in(loaded), model),
        f'teacher.checkpoint: {checkpoint!r} is not of this architecture',
        'check that config and checkpoint belong together (backbone, depth, num_classes)',
    )


def load_completely(model: nn.Module, weights: Mapping[str, Tensor], what: str, hint: str) -> None:
    """Load weights into a model, completely or not at all.

    Args:
        model: Model that takes the weights; those of a recognizer's data preprocessor may be among them, and are left
            out.
        weights: Tensors by key, as in a ``state_dict``; with or without the prefix ``module.`` of DDP.
        what: Beginning of the error.
        hint: End of the error: what to do.

    Raises:
        ValueError: Keys are missing, unknown or of another shape.
    """
    check_weights(model, weights, what, hint)
    known = model.state_dict().keys()
    weights = {str(key).removeprefix('module.'): value for key, value in weights.items()}
    model.load_state_dict({key: value for key, value in weights.items() if key in known}, strict=False)


def check_weights(
    model: nn.Module, weights: Mapping[str, Tensor], what: str, hint: str, unknown_allowed: bool = False
) -> None:
    """Check that weights fit a model.

    Args:
        model: Model, which is not changed.
        weights: Weights, as for :func:`load_completely`.
        what: Beginning of the error.
        hint: End of the error: what to do.
        unknown_allowed: Whether there may be more weights than the model has.

    Raises:
        ValueError: Keys are missing, unknown or of another shape.
    """
    weights = {str(key).removeprefix('module.'): value for key, value in weights.items()}
    own = model.state_dict()
    missing = [key for key in own if key not in weights and not key.endswith(IGNORED_KEYS)]
    unknown = [key for key in weights if key not in own and not key.startswith('data_preprocessor.')]
    shapes = [
        f'{key} {_shape_of(weights[key])} instead of {tuple(own[key].shape)}'
        for key in own
        if key in weights and _shape_of(weights[key]) != tuple(own[key].shape)
    ]
    if missing or shapes or (unknown and not unknown_allowed):
        raise WrongValueError(
            f'{what}: {len(missing)} keys missing {missing[:2]}, {len(unknown)} unknown {unknown[:2]}, '
            f'{len(shapes)} of another shape {shapes[:2]}; {hint}'
        )


def _shape_of(value: object) -> tuple | str:
    """Return the shape of a tensor; what a file holds in its place by its type."""
    return tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__


def fingerprint(model: nn.Module, config: Mapping) -> str:
    """Return a hash of weights and architecture, 16 hexadecimal digits.

    Weights that were computed from others would differ in rounding between machines: a module that has such says in
    ``made_of`` a hash of what they were made of, which stands for them.

    Args:
        model: The recognizer with its weights.
        config: Its model config.
    """
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    made_of = {name: module.made_of for name, module in model.named_modules() if hasattr(module, 'made_of')}
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        origin = made_of.get(name.rpartition('.')[0])
        if origin is not None:
            digest.update(origin.encode())
            continue
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
