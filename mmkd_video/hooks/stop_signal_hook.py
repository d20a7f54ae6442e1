"""SIGTERM and ctrl-C end a training with a checkpoint."""

import functools
import multiprocessing
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from mmengine.dist import barrier, get_world_size, is_main_process
from mmengine.hooks import EMAHook, Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import IterBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop
from torch import Tensor

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.files.atomic import AtomicBackend, write_atomically
from mmkd_video.core.registry import HOOKS
from mmkd_video.hooks.atomic_checkpoint_hook import AtomicCheckpointHook, interrupted_name
from mmkd_video.hooks.model_wrapper import unwrapped_model
from mmkd_video.hooks.rank_statistics import KEY, gather_statistics, take_statistics
from mmkd_video.hooks.ranks import on_any_rank
from mmkd_video.hooks.worker_signals import ignore_signals

OWED = 'validation_owed'  # in a checkpoint's meta: the validation that was due when it was written was not finished
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@HOOKS.register_module()
@checked(grace=Number(0, above=True))
class StopSignalHook(Hook):
    """Save a checkpoint and end at a signal: SIGTERM (Slurm, spot machines), or ctrl-C.

    The checkpoint is written after the step that runs, and the process ends with exit code 143 (130 after ctrl-C). A
    resume goes on with the next batch, and with the validation that was going on. Steps that belong together
    (accumulated gradients, a pruning step over several batches) are finished first. With several processes all end
    after the same step, whichever got the signal; they do not end within a validation. Workers of loaders pay no
    attention to signals to the whole group: they end with their training. A second ctrl-C ends at once, without a
    checkpoint.

    Args:
        grace: Seconds after which the process ends even without a checkpoint; SIGTERM is usually followed by SIGKILL
            after a time of his own, often 30 seconds.

    Raises:
        ValueError: ``grace`` is no positive number.
    """

    priority = 'LOWEST'  # after all that belongs to a step

    def __init__(self, grace: float = 25.0) -> None:
        self.grace = grace
        self.received: int | None = None
        self._before: dict[int, Any] = {}
        self._timer: threading.Timer | None = None
        self._owed = False
        self._statistics: list[dict[str, Tensor]] | None = None

    def before_run(self, runner: Runner) -> None:
        """Make the loaders' workers ignore signals to the whole process group."""
        for name in ('_train_loop', '_val_loop'):
            loop = getattr(runner, name, None)
            loader = getattr(loop, 'dataloader', None) if isinstance(loop, BaseLoop) else None
            if loader is not None:
                loader.worker_init_fn = functools.partial(ignore_signals, then=loader.worker_init_fn)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read whether a validation is still to be done, and the state that each rank had of its own."""
        self._owed = bool(runner._resume and checkpoint.get('meta', {}).get(OWED))
        self._statistics = checkpoint.get(KEY) if runner._resume else None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the state that each rank has of its own, where it was gathered."""
        if self._statistics is not None:
            checkpoint[KEY] = self._statistics

    def before_train(self, runner: Runner) -> None:
        """Install the signal handlers; validate first where that is still to be done."""
        if threading.current_thread() is threading.main_thread():  # Python allows handlers there only
            taken = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]  # as in the background
            self._before = {number: signal.signal(number, self._handle) for number in taken}
        if self._statistics is not None:
            take_statistics(unwrapped_model(runner), self._statistics)
            self._statistics = None
        if self._owed and runner.val_loop is not None:
            runner.val_loop.run()
        self._owed = False

    def after_train(self, runner: Runner) -> None:
        """Restore the signal handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """End after this step if a signal came.

        Raises:
            SystemExit: With the exit code of the signal.
        """
        if on_any_rank(self.received is not None) and _is_complete(runner):
            meta = dict(epoch=runner.epoch, iter=runner.iter + 1)
            self._end(runner, {**meta, OWED: True} if _validation_follows(runner) else meta)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """End within the validation of a training in one process if a signal came.

        Raises:
            SystemExit: With the exit code of the signal.
        """
        if self.received is None or get_world_size() > 1 or not isinstance(runner._train_loop, BaseLoop):
            return
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                hook.after_val_epoch(runner)  # the averaged weights are in the model's place while it is validated
        self._end(runner, {'epoch': runner.epoch, 'iter': runner.iter, OWED: True})

    def _end(self, runner: Runner, meta: dict) -> None:
        self._statistics = gather_statistics(unwrapped_model(runner))
        path = save_interrupted(runner, meta)
        if self._timer is not None:
            self._timer.cancel()
        if get_world_size() > 1 and self._before:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a launcher sends it to the others once one has ended
        barrier()  # whoever ends first would take the others along
        runner.visualizer.close()
        if is_main_process():
            print(f'stopped after iteration {meta["iter"]}; --resume goes on from {path}', file=sys.stderr, flush=True)
        raise SystemExit(128 + (self.received or signal.SIGTERM))

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.received = number
        name = 'ctrl-C' if number == signal.SIGINT else 'SIGTERM'
        sys.stderr.write(f'{name}: ends after this step, with a checkpoint, in {self.grace:g} s at most\n')
        self._timer = threading.Timer(self.grace, self._give_up)
        self._timer.daemon = True
        self._timer.start()

    def _give_up(self) -> None:
        sys.stderr.write(f'no step ended within {self.grace:g} s (StopSignalHook.grace): no checkpoint was written\n')
        sys.stderr.flush()
        for worker in multiprocessing.active_children():
            worker.kill()
        os._exit(128 + self.received)


def save_interrupted(runner: Runner, meta: dict) -> Path:
    """Write a checkpoint now, independent of the CheckpointHook; to be called by every rank.

    Args:
        runner: The runner of the training.
        meta: The notes on where it stands.

    Returns:
        The checkpoint, which ``last_checkpoint`` now names.
    """
    saves = [hook for hook in runner.hooks if isinstance(hook, AtomicCheckpointHook)]
    folder = next((hook.out_dir for hook in saves if isinstance(hook.file_backend, AtomicBackend)), runner.work_dir)
    path = Path(folder, interrupted_name(meta['iter']))
    runner.save_checkpoint(str(folder), path.name, meta=meta, backend_args=dict(backend='mmkd_atomic'))
    if is_main_process():
        write_atomically(str(path).encode(), Path(runner.work_dir, 'last_checkpoint'))
    return path


def _is_complete(runner: Runner) -> bool:
    """Return whether a checkpoint holds all state that is carried from this step to the next."""
    wrapper = runner.optim_wrapper
    stepped = isinstance(wrapper, OptimWrapperDict) or wrapper.should_update()
    return stepped and not any(getattr(hook, 'unfinished', False) for hook in runner.hooks)


def _validation_follows(runner: Runner) -> bool:
    loop, done = runner.train_loop, runner.iter + 1
    if not isinstance(loop, IterBasedTrainLoop) or runner.val_loop is None or done < loop.val_begin:
        return False  # a loop over epochs goes on with the end of the epoch
    return done % loop.val_interval == 0 or done == loop.max_iters
