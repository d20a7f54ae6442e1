"""The embedded motion clips, rendered where they are missing."""

import sys

from mmkd_video.datasets import render_motion_clips


def prepare_motion_clips(root: str, *, seed: int = 0, workers: int = 2) -> bool:
    """Render or check the data set in a folder, and show how far it is.

    Args:
        root: Folder of the data set.
        seed: Seed of the pictures.
        workers: Threads that render.

    Returns:
        True when clips were rendered, False when the folder was complete already.

    Raises:
        FileExistsError: The folder holds something else, or was rendered with other settings.
        ValueError: Clips are missing or changed.
    """
    rendered = render_motion_clips(root, seed, workers=workers, progress=_show)
    print(f'{root}: {"rendered" if rendered else "complete, nothing to do"}')
    return rendered


def _show(done: int, total: int) -> None:
    """Rewrite one line on a terminal; elsewhere print a line for every tenth."""
    if sys.stderr.isatty():
        bar = '#' * (30 * done // total)
        print(f'\rrendering [{bar:30}] {done}/{total} clips', end='\n' if done == total else '', file=sys.stderr)
    elif 10 * done // total != 10 * (done - 1) // total:
        print(f'rendering {done}/{total} clips', file=sys.stderr)
