"""Structured pruning of a recognizer in place."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.pruning.history import PruningHistory, history_of
from mmkd_video.pruning.pruner import Pruner
from mmkd_video.pruning.surgery import apply_step


def prune(
    model: nn.Module,
    inputs: Tensor,
    target: Mapping[str, float],
    steps: int = 1,
    between: Callable[[int], None] | None = None,
    **settings: object,
) -> PruningHistory:
    """Remove whole channels from a model until a target is reached.

    Convolutions, linear layers and batch norms shrink; what is left runs faster everywhere. The pruned model equals the
    unpruned one with the removed channels silent, which is checked. Channels that meet in an attention, stand in a bare
    parameter, in a layer norm or in a grouped convolution are left whole: of transformers the MLPs are pruned.

    Dependencies between layers are found by torch-pruning (Fang et al., CVPR 2023, https://arxiv.org/abs/2301.12900).

    Args:
        model: A recognizer; changed in place, its parameters stay the same objects.
        inputs: One batch as its ``forward`` takes it, ``(N, T, C, H, W)`` (2D) or ``(N, M, C, T, H, W)`` (3D).
        target: ``dict(params=0.5)``, ``dict(flops=0.5)`` or ``dict(latency=0.5)``: what is left of the given model.
        steps: Number of equal steps in which it is reached.
        between: Function of the number of steps done, called after each but the last: the place to train a little.
        **settings: ``criterion``, ``scope``, ``keep``, ``round_to``, ``max_ratio``, ``seed`` of :class:`Pruner`.

    Returns:
        The whole history of the model; with it, :func:`replay` prunes another copy alike.

    Raises:
        MissingExtraError: torch-pruning is not installed.
        ValueError: A setting is out of range, the target cannot be reached, or nothing can be pruned.
    """
    if not (isinstance(steps, int) and steps >= 1):
        raise WrongValueError(f'steps: got {steps!r}; expected a whole number of at least 1')
    pruner = Pruner(target, **settings)
    left, first = 1.0, len(history_of(model))
    for done in range(1, steps + 1):
        wanted = fraction_after(pruner.fraction, done, steps)
        step = pruner.find(model, inputs, wanted / left, history_of(model).steps[first:])
        apply_step(model, step)
        left *= step.after[pruner.kind] / step.before[pruner.kind]
        if between is not None and done < steps:
            between(done)
    return history_of(model)


def fraction_after(target: float, done: int, steps: int) -> float:
    """Return what is left of the first model after some of several equal steps, as a fraction."""
    return 1 - (1 - target) * done / steps
