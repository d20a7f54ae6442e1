"""A file with a name on each line."""

from pathlib import Path

from mmkd_video.core.mistakes import MissingFileError, WrongValueError

BY_NAME = 'by_name'
LARGEST_FILE = 1 << 24


def read_names(path: str, where: str) -> list[str]:
    """Read a file with a name on each line.

    Args:
        path: The file.
        where: Name of the setting in errors.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no names.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(
            f'{where}: got {path!r}; expected {BY_NAME!r}, names, indices, or a file with a name on each line; there '
            'is no such file'
        )
    if file.stat().st_size > LARGEST_FILE:
        raise WrongValueError(f'{where}: {path} has {file.stat().st_size} bytes; expected at most {LARGEST_FILE}')
    try:
        names = [line.strip() for line in file.read_text(encoding='utf-8').splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise WrongValueError(f'{where}: {path} is no text; expected a file with a name on each line') from None
    if not names:
        raise WrongValueError(f'{where}: {path} is empty; expected a name on each line')
    return names
