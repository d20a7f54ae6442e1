"""Costs and channels of recognizers, found without their weights in a moment."""

import copy
from collections.abc import Mapping

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmkd_video.core.registry import build_model
from mmkd_video.recognizers.input_form import noise_clip


def count_without_weights(model: Mapping, size: tuple[int, int, int]) -> tuple[int, float] | None:
    """Count parameters and operations before the head, on torch's meta device, which computes shapes alone.

    torch's ``FlopCounterMode`` counts convolutions and matrix products alone: it misses up to a tenth of what MMEngine
    counts, about the same share whatever the size.

    Args:
        model: Config of a recognizer.
        size: Frames, height and width of a clip.

    Returns:
        Parameters, and GFLOPs of one forward pass (a multiply-add is one); None where the model does not run so.
    """
    try:
        recognizer = built_without_weights(model)
        with torch.device('meta'), torch.no_grad(), FlopCounterMode(display=False) as counter:
            recognizer.extract_feat(noise_clip(recognizer, size), stage='neck')
    except Exception:  # whatever a model says to tensors without numbers
        return None
    found = sum(
        parameter.numel() for name, parameter in recognizer.named_parameters() if not name.startswith('cls_head')
    )
    return found, counter.get_total_flops() / 2e9


def channels_without_weights(model: Mapping, size: tuple[int, int, int]) -> int | None:
    """Return the channels that the head gets; None where the model does not run so, or gives several features.

    Args:
        model: Config of a recognizer.
        size: Frames, height and width of a clip.
    """
    try:
        recognizer = built_without_weights(model)
        with torch.device('meta'), torch.no_grad():
            found = recognizer.extract_feat(noise_clip(recognizer, size), stage='neck')[0]
    except Exception:  # as above
        return None
    return found.shape[1] if isinstance(found, torch.Tensor) else None


def built_without_weights(model: Mapping) -> nn.Module:
    """Build a recognizer on torch's meta device, in evaluation mode.

    Args:
        model: Config of the recognizer; it is not changed.
    """
    settings = copy.deepcopy(dict(model))
    try:
        with torch.device('meta'):
            recognizer = build_model(settings)
    except RuntimeError:  # Swin and UniFormer read their rates of drop-path out of a tensor
        recognizer = build_model(copy.deepcopy(dict(model)))
    recognizer.to('meta').eval()
    return recognizer
