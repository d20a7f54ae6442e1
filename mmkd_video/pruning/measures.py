"""Measures that a target is given in: parameters, operations, time."""

import math
import time
from functools import partial

import torch
from mmengine.analysis import FlopAnalyzer
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError, name_of_kind
from mmkd_video.core.restoring import in_eval
from mmkd_video.pruning.cut import Cut
from mmkd_video.pruning.layers import tensors_at
from mmkd_video.pruning.units import class_scores


def count_params(model: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def params_after(model: nn.Module, cuts: list[Cut]) -> int:
    """Return the number of parameters that cuts would leave, without making them.

    Args:
        model: Model, which stays as it is.
        cuts: One for each side of a layer.
    """
    layers = dict(model.named_modules())
    shapes = {parameter: list(parameter.shape) for parameter in model.parameters()}
    for cut in cuts:
        for _, tensor, dim in tensors_at(layers[cut.layer], cut.side):
            if tensor in shapes:
                shapes[tensor][dim] -= len(cut.removed)
    return sum(math.prod(shape) for shape in shapes.values())


def count_flops(model: nn.Module, inputs: Tensor) -> float:
    """Return the operations of one forward pass as MMEngine counts them (a multiply-add is one).

    Args:
        model: A recognizer; its mode and its gradients are kept.
        inputs: One batch as its ``forward`` takes it.

    Raises:
        ValueError: MMEngine's counter cannot follow the model.
    """
    with in_eval(model):
        if hasattr(model, 'extract_feat'):
            model.forward = partial(model.extract_feat, stage='head')
        try:
            counter = FlopAnalyzer(model, (inputs,)).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            return float(counter.total())
        except (RuntimeError, TypeError, ValueError, AttributeError) as error:
            reason = (str(error).splitlines() or [''])[0]
            raise WrongValueError(
                f'the operations of this {type(model).__name__} cannot be counted ({name_of_kind(error)}: {reason}); '
                'give a target in params or latency'
            ) from error
        finally:
            vars(model).pop('forward', None)  # the class's own shows again


def latency_ratio(model: nn.Module, reference: nn.Module, inputs: Tensor, rounds: int = 15) -> float:
    """Return the time of a forward pass over that of another model, the two timed in turn.

    Args:
        model: The model.
        reference: Model whose time is 1.
        inputs: One batch as both take it.
        rounds: Pairs of passes; their median counts, so what disturbs the machine disturbs both.

    Returns:
        ``time of model / time of reference``, the median over pairs.
    """
    ratios = []
    with in_eval(model), in_eval(reference):
        for index in range(-2, rounds):
            first, second = (model, reference) if index % 2 else (reference, model)
            times = {id(each): _seconds(each, inputs) for each in (first, second)}
            if index >= 0:
                ratios.append(times[id(model)] / times[id(reference)])
    return sorted(ratios)[len(ratios) // 2]


def _seconds(model: nn.Module, inputs: Tensor) -> float:
    _wait_for(inputs.device)
    start = time.perf_counter()
    class_scores(model, inputs)
    _wait_for(inputs.device)
    return time.perf_counter() - start


def _wait_for(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
