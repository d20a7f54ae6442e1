"""The embedded motion clips, rendered where they are missing."""

from mmkd_video.core.progress_bar import ProgressBar, at_each_tenth
from mmkd_video.datasets import render_motion_clips
from mmkd_video.datasets.motion_domain import DOMAINS
from mmkd_video.datasets.motion_set import MOTIONS

DOMAIN_NAMES = tuple(DOMAINS)
MOTION_NAMES = tuple(MOTIONS)


def prepare_motion_clips(
    root: str, *, seed: int = 0, workers: int = 2, domain: str = 'source', motions: str = 'single'
) -> bool:
    """Render or check the data set in a folder, and show how far it is.

    Args:
        root: Folder of the data set.
        seed: Seed of the pictures.
        workers: Threads that render.
        domain: Name of the look of the clips, ``'source'`` or ``'target'``.
        motions: ``'single'``: the eight motions; ``'pairs'``: 32 of one or two at once; ``'together'``: two
            sprites and two labels; ``'sequences'``: one motion after another, with a label for every frame.

    Returns:
        True when clips were rendered, False when the folder was complete already.

    Raises:
        FileExistsError: The folder holds something else, or was rendered with other settings.
        ValueError: Clips are missing or changed.
    """
    with ProgressBar('rendering', 'clips', at_each_tenth) as progress:
        settings = dict(workers=workers, progress=progress, domain=domain, motions=motions)
        rendered = render_motion_clips(root, seed, **settings)
    print(f'{root}: {"rendered" if rendered else "complete, nothing to do"}')
    return rendered
