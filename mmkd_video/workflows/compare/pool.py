"""Several runs side by side, in processes of their own."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import IO, Any

from mmkd_video.core.files.lock import try_lock
from mmkd_video.core.status_line import StatusLine
from mmkd_video.workflows.compare.progress import Progress
from mmkd_video.workflows.compare.runs import Run
from mmkd_video.workflows.train.run_folder import LOG, cores

POLL_SECONDS = 0.1
GRACE_SECONDS = 30.0  # between the request to end and the end


@dataclass
class _Process:
    run: Run
    process: subprocess.Popen
    lock: IO
    log: IO


def run_all(
    runs: Sequence[Run],
    jobs: int,
    progress: Progress,
    on_result: Callable[[Run, dict], None],
    on_failure: Callable[[Run, str], None],
) -> None:
    """Run what is not finished, ``jobs`` at a time; what is finished is read.

    The cores are shared out: each run has ``cores // jobs`` threads, unless ``OMP_NUM_THREADS`` says how many. A run
    that fails does not stop the others. Whatever ends this function early ends the runs too.

    Args:
        runs: Runs in the order in which they are started; none twice.
        jobs: Number of runs at a time, at least 1.
        progress: Display of how far they are.
        on_result: Function that is called with each run and its result.
        on_failure: Function that is called with each run that failed, and why.

    Raises:
        ValueError: A folder holds a run of another config.
    """
    for run in runs:
        run.folder.claim()
    waiting, going = list(runs), []
    with _terminated_as_interrupted(), StatusLine() as status:
        try:
            while waiting or going:
                _start(waiting, going, jobs, progress, _below(status, on_result))
                for each in [each for each in going if each.process.poll() is not None]:
                    going.remove(each)
                    _end(each, progress, _below(status, on_result), _below(status, on_failure))
                status.show(progress.line())
                progress.print_once_a_minute(status.active)
                if going or waiting:
                    time.sleep(POLL_SECONDS)
        finally:
            _stop(going)


def _below(status: StatusLine, call: Callable) -> Callable:
    """Return a function that clears the status line before it prints something."""

    def clear_and_call(*arguments: Any) -> None:
        status.clear()
        call(*arguments)

    return clear_and_call


def _start(
    waiting: list[Run],
    going: list[_Process],
    jobs: int,
    progress: Progress,
    on_result: Callable[[Run, dict], None],
) -> None:
    for run in list(waiting):
        found = run.folder.read()
        if found is not None:
            waiting.remove(run)
            progress.ended(run, began_here=False)
            on_result(run, found)
            continue
        if len(going) >= jobs:
            return
        lock = try_lock(run.folder.path)
        if lock is None:
            progress.runs_elsewhere(run)
            continue
        if run.folder.read() is not None:  # the other process has just finished it
            lock.close()
            continue
        waiting.remove(run)
        log = open(run.folder.path / LOG, 'a')  # noqa: SIM115  open as long as the run goes
        process = run.folder.start(log, max(1, cores() // jobs), keep=[lock.fileno()])
        going.append(_Process(run, process, lock, log))
        progress.started(run)


def _end(
    each: _Process,
    progress: Progress,
    on_result: Callable[[Run, dict], None],
    on_failure: Callable[[Run, str], None],
) -> None:
    each.lock.close()
    each.log.close()
    found = each.run.folder.read() if each.process.returncode == 0 else None
    progress.ended(each.run, began_here=found is not None)
    if found is not None:
        on_result(each.run, found)
        return
    code = each.process.returncode
    on_failure(each.run, f'exit code {code}; the end of {each.run.folder.path / LOG}:\n{each.run.folder.tail()}')


def _stop(going: Sequence[_Process]) -> None:
    for number, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        alive = [each for each in going if each.process.poll() is None]
        for each in alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(each.process.pid, number)
        end = time.monotonic() + patience
        while any(each.process.poll() is None for each in alive) and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
    for each in going:
        each.lock.close()
        each.log.close()


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Make SIGTERM and SIGHUP act as ctrl-C, so that no run outlives its parent."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        with contextlib.suppress(ValueError):  # not in the main thread
            before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.stdout.flush()
