"""A loader that sees when a video does not come back, names it, and goes on without it."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data._utils import signal_handling
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from mmkd_video.core.mistakes import WorkFailedError

_NAME = 512  # bytes of a name that are kept


class VideoStuckError(Exception):
    """A worker has read one video for too long.

    Args:
        name: Name of the video.
        seconds: Longest time that a video may take.
        process: Worker that reads it.
    """

    def __init__(self, name: str, seconds: float, process: Any = None) -> None:
        super().__init__(f'did not come back in {seconds:g} seconds')
        self.name, self.process = name, process


class ReadingBoard:
    """Where workers write which video they read, and since when; the main process looks at it.

    Args:
        workers: Number of workers.
        seconds: Longest time that a video may take.
    """

    def __init__(self, workers: int, seconds: float) -> None:
        self.seconds = seconds
        self._since = multiprocessing.RawArray('d', max(workers, 1))
        self._names = multiprocessing.RawArray('c', _NAME * max(workers, 1))

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Say which video is read in the block; in the main process, which nobody watches, nothing is said."""
        worker = get_worker_info()
        if worker is None or worker.id >= len(self._since):
            yield
            return
        written = name.encode()[: _NAME - 1]
        self._names[worker.id * _NAME : worker.id * _NAME + len(written) + 1] = written + b'\0'
        self._since[worker.id] = time.monotonic()
        try:
            yield
        finally:
            self._since[worker.id] = 0.0

    def wipe(self) -> None:
        """Forget what workers that are no more have written."""
        self._since[:] = [0.0] * len(self._since)

    def stuck(self) -> tuple[int, str] | None:
        """Return the worker that has read one video for too long, and the video; None where none has."""
        now = time.monotonic()
        for worker, since in enumerate(self._since):
            if since and now - since > self.seconds:
                name = bytes(self._names[worker * _NAME : (worker + 1) * _NAME]).partition(b'\0')[0]
                return worker, name.decode(errors='replace')
        return None


class WatchedLoader(DataLoader):
    """A data loader whose workers are watched.

    Where a video does not come back, its worker is killed: decoders may spin in native code, where nothing else reaches
    them. In training the video is noted, so that another one takes its place, and the epoch goes on with the batch
    that was waited for; what was loaded before comes to the same again, because samples follow from their keys. In
    validation and test an error names the video. Nothing is watched where there are no workers.

    Args:
        *args: Arguments of ``DataLoader``.
        board: Board on which the dataset's workers write.
        **kwargs: Further arguments of ``DataLoader``.
    """

    def __init__(self, *args: Any, board: ReadingBoard, **kwargs: Any) -> None:
        self.board = board
        super().__init__(*args, **kwargs)

    def _get_iterator(self) -> Any:
        return _WatchedIterator(self) if self._watched else super()._get_iterator()

    @property
    def _watched(self) -> bool:
        return self.num_workers > 0 and not self.timeout  # a timeout of torch's own ends the training

    def __iter__(self) -> Any:
        """Iterate over batches."""
        return _Replacing(self) if self._watched else super().__iter__()


class _WatchedIterator(_MultiProcessingDataLoaderIter):
    """Looks at the board whenever a batch is waited for."""

    def __init__(self, loader: WatchedLoader) -> None:
        self._board = loader.board
        super().__init__(loader)

    def _try_get_data(self, timeout: float = 5.0) -> tuple[bool, Any]:
        found = super()._try_get_data(min(timeout, max(self._board.seconds / 4, 0.05)))
        stuck = None if found[0] else self._board.stuck()
        if stuck is not None:
            worker, name = stuck
            raise VideoStuckError(name, self._board.seconds, self._workers[worker])
        return found


class _Replacing:
    """Batches of a loader; after a stuck video the workers are others, and go on where these were."""

    def __init__(self, loader: WatchedLoader) -> None:
        self._loader, self._given = loader, 0
        self._iterator = DataLoader.__iter__(loader)

    def __iter__(self) -> '_Replacing':
        return self

    def __next__(self) -> Any:
        while True:
            try:
                batch = next(self._iterator)
            except VideoStuckError as error:
                self._replace(error)
                continue
            self._given += 1
            return batch

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or '_iterator' not in self.__dict__:
            raise AttributeError(name)
        return getattr(self._iterator, name)

    def _replace(self, error: VideoStuckError) -> None:
        loader = self._loader
        end_workers(self._iterator, error.process)
        loader._iterator = None
        loader.board.wipe()
        note = getattr(loader.dataset, 'note_stuck', None)
        if note is None:
            raise WorkFailedError(
                f'{error.name} {error}, and the videos of validation and test are not replaced by others: mend it, or '
                'take its line out of the annotation file; --resume goes on from the last checkpoint'
            ) from error
        note(error.name, str(error))
        loader.batch_sampler.start_again(self._given)
        self._given = 0  # of the new iteration, which leaves the others out
        self._iterator = DataLoader.__iter__(loader)


def end_workers(iterator: Any, stuck: Any) -> None:
    """End the workers of a loader, the stuck one by force.

    Args:
        iterator: Iterator over the loader.
        stuck: Process of the worker that does not come back.
    """
    if iterator._worker_pids_set:  # its death is meant: torch's handler of SIGCHLD would raise
        signal_handling._remove_worker_pids(id(iterator))
        iterator._worker_pids_set = False
    stuck.kill()
    stuck.join()
    iterator._shutdown_workers()
