"""The folder that a site is written to."""

from pathlib import Path

OF_SPHINX = '.buildinfo'  # Sphinx leaves it in the folder of each site


def expect_site_or_nothing(folder: Path) -> None:
    """Check that a folder may be replaced by a site.

    Args:
        folder: Folder of the site.

    Raises:
        FileExistsError: Something else lies there.
    """
    if folder.is_dir() and (not any(folder.iterdir()) or (folder / OF_SPHINX).is_file()):
        return
    if folder.exists() or folder.is_symlink():
        raise FileExistsError(f'--out: {folder} is there, and no site; name a new folder, or remove it first')
