"""The videos in a folder."""

from pathlib import Path

from mmkd_video.core.mistakes import MissingFileError
from mmkd_video.recognizers.class_folders import VIDEOS


def find_videos(folder: Path, key: str) -> list[Path]:
    """Return the videos in a folder and in the folders below it, in the order of their names.

    Args:
        folder: The folder; names that begin with a dot are left out.
        key: Name of the setting in the error.

    Raises:
        FileNotFoundError: There are none.
    """
    found = [
        path
        for path in folder.rglob('*')
        if path.suffix.lower() in VIDEOS
        and path.is_file()
        and not any(part.startswith('.') for part in path.relative_to(folder).parts)
    ]
    if not found:
        raise MissingFileError(
            f'{key}: got the folder {str(folder)!r}, in which there is no video; expected some ({", ".join(VIDEOS)})'
        )
    return sorted(found)
