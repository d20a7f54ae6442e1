"""What is said of an exported file that a runtime cannot read."""

from collections.abc import Sequence
from pathlib import Path

from mmkd_video.core.mistakes import WrongValueError


def unreadable(files: Sequence[Path], runtime: str, error: Exception) -> ValueError:
    """Return the error that names a file, what is wrong with it and what to do.

    Args:
        files: The file that was opened, and those that belong to it.
        runtime: Name of the runtime.
        error: Error that the runtime raised; some say nothing, or end in empty lines.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[-1] if lines else type(error).__name__
    sizes = ' and '.join(f'{part} ({part.stat().st_size} bytes)' for part in files if part.is_file())
    return WrongValueError(
        f'{files[0]}: got a file that {runtime} cannot read: {said}; expected what tools/export.py wrote, whole: '
        f'{sizes} may be damaged or of two exports; export again, or copy again'
    )
