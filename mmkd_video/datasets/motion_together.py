"""Clips of several labels: two sprites at once, each in a motion of its own.

The two motions are different ones of the eight of the embedded data set, so every clip has two labels. As with one
sprite, no single frame tells them: what is seen of a sprite in a frame has one distribution, whichever way it moves.
"""

import itertools

import numpy as np

from mmkd_video.datasets.motion_clips import CLASSES, draw_poses, render_paths
from mmkd_video.datasets.motion_domain import DOMAINS, MotionDomain

PAIRS = tuple(itertools.combinations(range(len(CLASSES)), 2))
"""The 28 kinds of clips: which two motions are seen, as indices into ``CLASSES``."""
KINDS = tuple(f'{CLASSES[a]}_with_{CLASSES[b]}' for a, b in PAIRS)
_SHRUNK = np.log(0.7)  # two sprites of the usual size would cover each other most of the time


def render_clip(
    split: str, kind: int, rng: np.random.Generator, domain: MotionDomain = DOMAINS['source']
) -> np.ndarray:
    """Render one clip.

    Args:
        split: 'train', 'val' or 'test': the texture families to draw from.
        kind: Index into ``PAIRS``.
        rng: Source of all randomness.
        domain: Look of the clips.

    Returns:
        Uint8 array ``(frames of the domain, 64, 64, 3)``: height, width and RGB of each frame.
    """
    paths = [draw_poses(label, rng, domain.num_frames) + [0, 0, 0, _SHRUNK] for label in rng.permutation(PAIRS[kind])]
    return render_paths(split, paths, rng, domain)
