"""Callers that work at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch


class SideBySide:
    """Threads that each call a function of their own, again and again, with one PyTorch thread each.

    What a machine does whose cores each serve a stream. A context manager; at its end the threads are gone.

    Args:
        callers: How many.
        times: How often each calls its function.
    """

    def __init__(self, callers: int, times: int) -> None:
        self.callers, self.times = callers, times
        self._pool = ThreadPoolExecutor(callers, initializer=torch.set_num_threads, initargs=(1,))

    def __enter__(self) -> 'SideBySide':
        self._before = torch.get_num_threads()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        torch.set_num_threads(self._before)

    @property
    def calls(self) -> int:
        """In all, of one run."""
        return self.callers * self.times

    def run(self, functions: Sequence[Callable[[], object]]) -> None:
        """Let each caller call its function ``times`` times; return when all have done so.

        Args:
            functions: One for each caller.

        Raises:
            ValueError: There are more or fewer.
        """
        if len(functions) != self.callers:
            raise ValueError(f'got {len(functions)} functions, expected {self.callers}: one for each caller')
        for done in [self._pool.submit(self._repeat, function) for function in functions]:
            done.result()

    def _repeat(self, function: Callable[[], object]) -> None:
        for _ in range(self.times):
            function()
