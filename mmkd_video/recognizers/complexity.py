"""Parameters and operations of a recognizer, by MMEngine's counter."""

from collections.abc import Mapping

import torch
from mmengine.analysis import FlopAnalyzer
from torch import Tensor, nn

from mmkd_video.core.mistakes import name_of_kind


def measure_complexity(model: nn.Module, clip: Tensor | Mapping[str, Tensor]) -> tuple[int, float | None]:
    """Count a recognizer's parameters, and the operations of one forward pass.

    Args:
        model: The recognizer; its mode is kept.
        clip: One sample as a test pipeline packs it, ``(M, C, T, H, W)`` or ``(T, C, H, W)``, or several of these by
            name; of several clips of a 3D sample the first is counted.

    Returns:
        Parameters, and GFLOPs as MMEngine counts them (a multiply-add is one), or None where it cannot.
    """
    params = sum(parameter.numel() for parameter in model.parameters())
    device = next(model.parameters()).device
    if isinstance(clip, Mapping):
        inputs = {name: _batch_of_one(each, device) for name, each in clip.items()}
    else:
        inputs = _batch_of_one(clip, device)
    was_training = model.training
    model.eval()
    model.forward = lambda given: model.extract_feat(given, stage='head')[0]  # tracing takes no numbers beside tensors
    try:
        with torch.no_grad():
            counter = FlopAnalyzer(model, (inputs,)).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            flops = counter.total()
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:  # tracing cannot follow every model
        print(f'GFLOPs not counted: {name_of_kind(error)}: {str(error).splitlines()[:1]}')
        return params, None
    finally:
        del model.forward  # the class's own shows again
        model.train(was_training)
    return params, flops / 1e9


def _batch_of_one(clip: Tensor, device: torch.device) -> Tensor:
    one = clip[:1] if clip.ndim == 5 else clip
    return one[None].float().to(device)
