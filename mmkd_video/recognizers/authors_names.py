"""Weights under the names that their authors' code gives them, brought to those of MMAction2."""

import re
from collections.abc import Mapping

from torch import Tensor, nn

CONTAINERS = ('state_dict', 'module', 'model')  # where checkpoints hold their weights: MMEngine, DeepSpeed, VideoMAE
_VIDEOMAE = (
    (r'patch_embed\.proj\.', r'backbone.patch_embed.projection.'),
    (r'(blocks\.\d+)\.mlp\.fc1\.', r'backbone.\1.mlp.layers.0.0.'),
    (r'(blocks\.\d+)\.mlp\.fc2\.', r'backbone.\1.mlp.layers.1.'),
    (r'(blocks\.|norm\.|fc_norm\.|pos_embed$)', r'backbone.\1'),
    (r'head\.', r'cls_head.fc_cls.'),
)
_SIGN = 'patch_embed.proj.weight'
_COMPUTED = 'backbone.pos_embed'  # sines, which the authors' checkpoints do not hold


def weights_in(loaded: object) -> Mapping[str, Tensor]:
    """Return the weights of a checkpoint that was read; nothing where it holds none.

    Args:
        loaded: Content of a checkpoint.
    """
    for key in CONTAINERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            return loaded[key]
    return loaded if isinstance(loaded, Mapping) else {}


def with_own_names(weights: Mapping[str, Tensor], model: nn.Module) -> Mapping[str, Tensor]:
    """Return weights of VideoMAE and VideoMAE V2, as their authors publish them, under MMAction2's names.

    Weights with other names come back as they are, and names that are not VideoMAE's stay.
    Source: https://github.com/OpenGVLab/VideoMAEv2, whose ``VisionTransformer`` is MMAction2's under other names.

    Args:
        weights: Tensors by key.
        model: Recognizer that takes the weights.
    """
    own = model.state_dict()
    if _SIGN not in weights or _SIGN in own:
        return weights
    renamed = {_renamed(str(key)): value for key, value in weights.items()}
    if _COMPUTED in own and _COMPUTED not in dict(model.named_parameters()):
        renamed.setdefault(_COMPUTED, own[_COMPUTED])
    return renamed


def _renamed(key: str) -> str:
    for pattern, replacement in _VIDEOMAE:
        found, number = re.subn(f'^{pattern}', replacement, key)
        if number:
            return found
    return key
