"""Opening videos once, in processes that may hang or die of them."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from mmkd_video.datasets.decoders.choice import expect_decoder, open_video

LOOK = 0.2  # seconds between looks at the clock


def probe(path: str) -> str:
    """Open a video, and decode its first, middle and last frame.

    Args:
        path: Path of the file.

    Returns:
        What is wrong; empty where nothing is.
    """
    if not os.path.isfile(path):
        return 'does not exist'
    try:
        content = Path(path).read_bytes()
        if not content:
            return 'is empty'
        reader = open_video(content)
        count = len(reader)
        if not count:
            return 'holds no frames'
        reader.get_batch([0, count // 2, count - 1]).asnumpy()
    except Exception as error:  # decoders raise their own types for files that are no videos
        said = ' '.join(str(error).split())
        return f'cannot be read ({type(error).__name__}: {said[:200]})'
    return ''


def probe_videos(
    paths: Sequence[str],
    *,
    decoder: str,
    workers: int,
    seconds: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, str]:
    """Probe videos in parallel; one that does not come back, or takes its process with it, is told too.

    Args:
        paths: Paths of files, each one once.
        decoder: Name of the decoder that the environment asks for.
        workers: Number of processes.
        seconds: Longest time that a video may take.
        progress: Function that is called with (done, in all).

    Returns:
        What is wrong, by path, in the order of ``paths``; without those that are right.

    Raises:
        ImportError: The decoder is not installed.
    """
    expect_decoder(decoder)
    found: dict[str, str] = {}
    waiting = iter(paths)
    running = [_Worker() for _ in range(max(1, min(workers, len(paths))))]
    try:
        for worker in running:
            worker.give(next(waiting, None))
        done = 0
        while done < len(paths):
            for path, problem in _finished(running, seconds):
                found.update({path: problem} if problem else {})
                done += 1
                progress(done, len(paths))
            for worker in running:
                if worker.path is None:
                    worker.give(next(waiting, None))
    finally:
        for worker in running:
            worker.end()
    return {path: found[path] for path in paths if path in found}


def _finished(workers: Sequence['_Worker'], seconds: float) -> Iterator[tuple[str, str]]:
    """Yield what workers have found, or what has become of them."""
    busy = {worker.connection: worker for worker in workers if worker.path is not None}
    for connection in wait(list(busy), LOOK):
        worker = busy.pop(connection)
        path = worker.path
        try:
            problem = connection.recv()
            worker.path = None
        except (EOFError, OSError):
            worker.restart()
            problem = 'ends the process that reads it'
        yield path, problem
    for worker in busy.values():
        if time.monotonic() - worker.since > seconds:
            path = worker.path
            worker.restart()
            yield path, f'did not come back in {seconds:g} seconds'


class _Worker:
    """A process that probes one video after the other."""

    def __init__(self) -> None:
        self.path: str | None = None
        self.since = 0.0
        self._start()

    def _start(self) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_serve, args=(theirs, self.connection), daemon=True)
        self._process.start()
        theirs.close()

    def give(self, path: str | None) -> None:
        """Let it probe a video; None: there is none left."""
        if path is not None:
            self.path, self.since = path, time.monotonic()
            self.connection.send(path)

    def restart(self) -> None:
        """Put another process into its place."""
        self.end()
        self.path = None
        self._start()

    def end(self) -> None:
        """End the process, by force: it may hang in native code."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, parent: Connection) -> None:
    parent.close()  # so that the end of the parent is seen
    while True:
        try:
            connection.send(probe(connection.recv()))
        except (EOFError, OSError, KeyboardInterrupt):
            return
