"""A connector over all layers of a term."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mmkd_video.core.layouts import channels_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.terms.pair import find_connector
from mmkd_video.terms.spec import TermSpec


def dry_fuse(fusion: nn.Module | None, layers: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return what a connector makes of the layers of the dry run, without a change of its statistics.

    Args:
        fusion: The connector; None hands the layers on.
        layers: Student features.
    """
    if fusion is None:
        return layers
    with torch.no_grad():
        fused = fusion.eval()(layers)
    fusion.train()
    return fused


def build_fusion(spec: TermSpec, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor]) -> nn.Module | None:
    """Build the connector of a term if it joins all layers (``joins_layers``); one for each pair is the pair's matter.

    Args:
        spec: The term.
        student: Student features of the dry run, by tap.
        teacher: Teacher features of the dry run, by tap.

    Raises:
        KeyError: No such connector.
        ValueError: The loss takes a single layer, or a tap gives no map.
    """
    where = f'term {spec.name!r}.connector'
    if not spec.connector or not getattr(find_connector(spec.connector, where), 'joins_layers', False):
        return None
    if not getattr(spec.loss_class, 'multi_layer', False):
        raise WrongValueError(
            f'{where}: {spec.connector["type"]} joins several layers, but {spec.loss_class.__name__} takes one; '
            'use a loss of several layers, such as HCLLoss'
        )
    layers = [[features[taps[side]] for taps in spec.pairs] for side, features in enumerate((student, teacher))]
    for taps, ours, theirs in zip(spec.pairs, *layers, strict=True):
        if ours.ndim != 5 or theirs.ndim != 5:
            raise WrongValueError(f'{where}: {spec.connector["type"]} joins maps (N, C, T, H, W), but {taps} are none')
    ours, theirs = ([channels_of(feature.shape) for feature in side] for side in layers)
    return MODELS.build({'in_channels': ours, 'out_channels': theirs, **spec.connector})
