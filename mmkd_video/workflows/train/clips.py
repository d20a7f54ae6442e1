"""The embedded motion clips, rendered where they are missing."""

from mmkd_video.core.progress_bar import ProgressBar, at_each_tenth
from mmkd_video.datasets import render_motion_clips


def prepare_motion_clips(root: str, *, seed: int = 0, workers: int = 2, motions: str = 'single') -> bool:
    """Render or check the data set in a folder, and show how far it is.

    Args:
        root: Folder of the data set.
        seed: Seed of the pictures.
        workers: Threads that render.
        motions: ``'single'``: the eight motions; ``'pairs'``: 32 of one or two at once.

    Returns:
        True when clips were rendered, False when the folder was complete already.

    Raises:
        FileExistsError: The folder holds something else, or was rendered with other settings.
        ValueError: Clips are missing or changed.
    """
    with ProgressBar('rendering', 'clips', at_each_tenth) as progress:
        rendered = render_motion_clips(root, seed, workers=workers, progress=progress, motions=motions)
    print(f'{root}: {"rendered" if rendered else "complete, nothing to do"}')
    return rendered
