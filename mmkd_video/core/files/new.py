"""What a tool writes is not there yet."""

from pathlib import Path

from mmkd_video.core.mistakes import ExistingFileError


def expect_new(option: str, path: str | Path | None, force: bool | None = None) -> None:
    """See that a tool would not replace what somebody has made.

    Args:
        option: Option that names the file, such as ``--out``.
        path: The file; None where none is written.
        force: Whether it may be replaced; None where the tool has no ``--force``.

    Raises:
        FileExistsError: The file is there and may not be replaced.
    """
    if path and Path(path).exists() and not force:
        remedy = '' if force is None else ', or --force to replace it'
        raise ExistingFileError(f'{option}: {path} exists; give another name{remedy}')
