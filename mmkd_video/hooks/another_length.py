"""A resume on another number of processes: epochs hold the same samples, in more or fewer iterations."""

from collections.abc import Mapping
from typing import Any

from mmengine.optim import _ParamScheduler
from mmengine.runner import Runner

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
    """
    meta = checkpoint['meta']
    before = meta.get(LENGTH)
    if before in (None, iters_per_epoch) or meta['iter'] != meta['epoch'] * before:
        return None
    meta['iter'], meta[LENGTH] = meta['epoch'] * iters_per_epoch, iters_per_epoch
    for scheduler, state in zip(_built(runner.param_schedulers), _saved(checkpoint), strict=True):
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
        state.update(told, **{key: round(state[key] * ratio) for key in _COUNTED if key in state})


def _built(schedulers: Any) -> list:
    if isinstance(schedulers, Mapping):
        return [each for group in schedulers.values() for each in group]
    return list(schedulers or ())


def _saved(checkpoint: Mapping[str, Any]) -> list[dict]:
    return _built(checkpoint.get('param_schedulers'))
