"""Several processes that call a function at the same time."""

import multiprocessing
import time
import traceback
from collections.abc import Callable, Hashable, Mapping
from multiprocessing.connection import Connection

import torch

from mmkd_video.core.mistakes import WorkFailedError

Open = Callable[[], Mapping[Hashable, Callable[[], object]]]


class SideBySide:
    """Processes that each call the same function, again and again, with one PyTorch thread each.

    What a machine does whose cores each serve a stream. A context manager; at its end the processes are gone.

    Args:
        callers: Number of processes.
        times: Number of calls of a function by each in one run.
        open: Function that returns the functions by name; called in each process, so it must be picklable.
    """

    def __init__(self, callers: int, times: int, open: Open) -> None:
        self.callers, self.times = callers, times
        # fresh processes: neither threads nor what runtimes hold would survive a fork
        context = multiprocessing.get_context('spawn')
        self._connections, self._far_ends = zip(*(context.Pipe() for _ in range(callers)), strict=True)
        self._cpu = [0.0] * callers
        self._processes = [
            context.Process(target=_serve, args=(end, times, open), daemon=True) for end in self._far_ends
        ]

    def __enter__(self) -> 'SideBySide':
        for process, end in zip(self._processes, self._far_ends, strict=True):
            process.start()
            end.close()  # else it would not be noticed here when the process ends
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()
        for process in self._processes:
            process.terminate()
            process.join()

    def cpu_time(self) -> float:
        """Return the CPU seconds of this process and, as of their last run, of the callers."""
        return time.process_time() + sum(self._cpu)

    @property
    def calls(self) -> int:
        """Number of calls of all processes in one run."""
        return self.callers * self.times

    def run(self, name: Hashable) -> None:
        """Let each caller call a function ``times`` times; return when all have done so.

        Args:
            name: Name of the function.

        Raises:
            RuntimeError: A caller failed; carries its traceback.
        """
        for connection in self._connections:
            connection.send(name)
        self._wait()

    def _wait(self) -> None:
        for index, connection in enumerate(self._connections):
            try:
                failure, self._cpu[index] = connection.recv()
            except EOFError:
                raise WorkFailedError('one of the processes that work side by side has ended') from None
            if failure is not None:
                raise WorkFailedError(f'one of the processes that work side by side failed:\n{failure}')


def _serve(connection: Connection, times: int, open: Open) -> None:
    """Open the functions, then call those that the parent names, until it is gone."""
    torch.set_num_threads(1)
    try:
        functions = open()
        connection.send((None, time.process_time()))
        while True:
            function = functions[connection.recv()]
            for _ in range(times):
                function()
            connection.send((None, time.process_time()))
    except EOFError:
        return
    except Exception:
        connection.send((traceback.format_exc(), time.process_time()))
