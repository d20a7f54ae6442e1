"""Signals in the workers of a loader: they end with their loader, not with a signal to all processes."""

import os
import signal
import threading
from collections.abc import Callable


def ignore_signals(worker: int, then: Callable[[int], None] | None = None) -> None:
    """Make a loader's worker ignore ctrl-C, and SIGTERM from any process but its parent.

    A terminal, ``timeout`` and Slurm send signals to every process; without its workers a training could not even
    finish its step. They notice by themselves when their parent is gone.

    Args:
        worker: Number of the worker.
        then: Function that is called with it at the end: the loader's own ``worker_init_fn``.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, 'sigwaitinfo'):  # Linux
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    if then is not None:
        then(worker)


def _end_with_parent(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
