"""A resume on another number of processes: epochs hold the same samples, in more or fewer iterations."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.optim import _ParamScheduler
from mmengine.runner import Runner

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.hooks.resume_point import LENGTH, RANKS

# Of a scheduler's state; all else of it follows from the config.
_COUNTED, _VALUES = ('last_step', '_global_step'), ('base_values', '_last_value')


def count_anew(runner: Runner, checkpoint: Mapping[str, Any], iters_per_epoch: int, ranks: int) -> str | None:
    """Write the place of a checkpoint, saved at the end of an epoch, in iterations of this run.

    Schedulers that turn epochs into iterations go on at the same share of the training; all others stay as they are.

    Args:
        runner: Runner whose schedulers are built.
        checkpoint: Checkpoint that is being resumed from; it is changed.
        iters_per_epoch: Iterations of one epoch of this run.
        ranks: Number of processes of this run.

    Returns:
        What was done, in one line; None where an epoch has as many iterations as before.

    Raises:
        ValueError: The schedulers of the checkpoint are not those of the config.
    """
    meta = checkpoint['meta']
    before = meta.get(LENGTH)
    if not before or before == iters_per_epoch or RANKS not in meta or meta['iter'] != meta['epoch'] * before:
        return None
    built, saved = _listed(runner.param_schedulers), _listed(checkpoint.get('param_schedulers'))
    if len(built) != len(saved) or not all(map(_counts, saved)):
        raise WrongValueError(
            f'param_schedulers of the checkpoint: got {len(saved)}; expected the {len(built)} of the config, each with '
            'what it has counted; start anew from its weights with load_from'
        )
    meta['iter'], meta[LENGTH] = meta['epoch'] * iters_per_epoch, iters_per_epoch
    for scheduler, state in zip(built, saved, strict=True):
        if not scheduler.by_epoch:
            _stretch(state, scheduler, iters_per_epoch / before)
    return (
        f'Saved by {meta[RANKS]} processes with {before} iterations an epoch; goes on with {ranks}, {iters_per_epoch} '
        'iterations an epoch. Each epoch has the samples it would have had, in batches of another size in all; the '
        'learning rate stays what the config says.'
    )


def _stretch(state: dict, scheduler: _ParamScheduler, ratio: float) -> None:
    """Move a scheduler that was told in epochs; one that was told in iterations has counted those that there were."""
    told = {key: value for key, value in scheduler.state_dict().items() if key not in (*_COUNTED, *_VALUES)}
    if any(state.get(key) != value for key, value in told.items()):
        state.update(told, **{key: round(state[key] * ratio) for key in _COUNTED})


def _counts(state: Any) -> bool:
    return isinstance(state, dict) and all(type(state.get(key)) is int for key in _COUNTED)


def _listed(schedulers: Any) -> list:
    if isinstance(schedulers, Mapping):
        return [each for group in schedulers.values() for each in group]
    return list(schedulers) if isinstance(schedulers, Sequence) else []
