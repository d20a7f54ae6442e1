"""A finished ``torchrun`` job with gloo sometimes ends in ``terminate called without an active exception`` (SIGABRT).

Cause: torch's gloo threads may still run when the interpreter unloads; torch wants ``destroy_process_group()`` before,
and MMEngine never calls it. Nothing of the training is lost, but the job counts as failed.

A second fault lies in the same place: the group's destructor holds the interpreter's lock while it joins these threads,
and a thread that has just finished its last reduction needs that lock to let go of it. Both then wait for ever.

Fix: the launchers of MMEngine leave a note to destroy a gloo group at exit. Other backends and groups that the caller
destroys are left alone. Where a process is lost, the others would wait for it in that call until they are killed:
after :func:`leave_without_the_others` they end at once.
"""

import atexit
import contextlib
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmkd_video.compat.patching import after_import, wrap

LAUNCHERS = ('_init_dist_pytorch', '_init_dist_slurm', '_init_dist_mpi')
_FAILED = 1
_LET_GO = 0.2  # seconds in which the threads can have the lock
_left: list[int] = []


def leave_without_the_others() -> None:
    """Have this process end at its exit with code 1, without a word to the processes of its group."""
    _left.append(os.getpid())


def _destroy(process: int) -> None:
    import torch.distributed

    if os.getpid() == process and process in _left:
        for worker in multiprocessing.active_children():
            worker.kill()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(_FAILED)
    if os.getpid() == process and torch.distributed.is_initialized():
        gc.collect()  # a forgotten DDP model holds the group, and its threads with it
        time.sleep(_LET_GO)
        torch.distributed.destroy_process_group()
        gc.collect()


def _destroyed_at_exit(launch: Callable) -> Callable:
    def init(*args: Any, **kwargs: Any) -> None:
        import torch.distributed

        launch(*args, **kwargs)
        if torch.distributed.is_initialized() and torch.distributed.get_backend() == 'gloo':
            atexit.register(_destroy, os.getpid())

    return init


def _patch(module: ModuleType) -> None:
    for name in LAUNCHERS:
        wrap(module, name, _destroyed_at_exit)


def applies() -> bool:
    """Return whether this torch has gloo."""
    import torch.distributed

    return torch.distributed.is_available() and torch.distributed.is_gloo_available()


def apply() -> None:
    """Wrap the launchers when MMEngine's are imported."""
    after_import('mmengine.dist.utils', _patch)
