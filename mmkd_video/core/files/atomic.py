"""Files that are either old or new, never half."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from mmkd_video.core.files.temporary import TemporaryFile, sync_folder
from mmkd_video.core.mistakes import UnwrittenFileError


def write_atomically(content: bytes, path: str | Path) -> None:
    """Write a file so that a reader, also one after a power failure, sees the old content or the new, never a part.

    The bytes go to a temporary name in the same folder, are synced, and take the place of the old file in one step.

    Args:
        content: Bytes that the file is to hold.
        path: Place of the file; missing folders are made.

    Raises:
        OSError: The folder cannot be written to, or the disk is full. The old file is then untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = None
    try:
        temporary = TemporaryFile(path)
        temporary.write(content)
        temporary.commit()
    except OSError as error:
        told = UnwrittenFileError(
            f'{path} cannot be written ({error.strerror or error}); what was there before is untouched'
        )
        told.errno = error.errno
        raise told from error
    finally:
        if temporary is not None:
            temporary.discard()
    sync_folder(path.parent)


class AtomicBackend(LocalBackend):
    """MMEngine's local storage with whole files only, and removals that wait until the successor is on disk.

    Registered as the backend ``mmkd_atomic``; no prefix leads to it, so that nobody gets it unasked.
    """

    def __init__(self) -> None:
        self._outdated: list[str] = []

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes atomically.

        Args:
            obj: Bytes that the file is to hold.
            filepath: Place of the file; missing folders are made.
        """
        write_atomically(obj, filepath)

    def remove(self, filepath: str | Path) -> None:
        """Note a file for removal; it stays until :meth:`remove_outdated`.

        Args:
            filepath: The file that a newer one is about to replace.
        """
        self._outdated.append(str(filepath))

    def rmtree(self, dir_path: str | Path) -> None:
        """Leave a folder: a checkpoint that is one is DeepSpeed's, and is written by another runner."""

    def remove_outdated(self, keep: set[str]) -> None:
        """Remove the noted files.

        Args:
            keep: Files that stay, because they were written again under the same name.
        """
        for path in self._outdated:
            if path not in keep:
                Path(path).unlink(missing_ok=True)
        self._outdated.clear()


register_backend('mmkd_atomic', AtomicBackend, force=True)
