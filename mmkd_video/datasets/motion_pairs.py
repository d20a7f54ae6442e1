"""More motions for few-shot learning: the eight of the embedded data set, and all pairs of two at once.

A sprite moves along one of its four degrees of freedom, or along two: it rises and turns, or falls and grows. A class
names both, so there are 8 + 24. As with the eight, no single frame tells the class: each degree of freedom has the same
distribution in every frame of every class, whether it moves or rests.
"""

import itertools

import numpy as np

from mmkd_video.datasets.motion_clips import CLASSES as SINGLE
from mmkd_video.datasets.motion_clips import MOVES, draw_path, render_path
from mmkd_video.datasets.motion_domain import DOMAINS, MotionDomain

CLASSES = (
    *SINGLE,
    *(f'{a}_and_{b}' for a, b in itertools.combinations(SINGLE, 2) if MOVES[a][0] != MOVES[b][0]),
)


def directions_of(label: int) -> np.ndarray:
    """Return which degrees of freedom move, ``(4,)``: x, y, angle, log-size; 1 or -1 where one does.

    Args:
        label: Index into ``CLASSES``.

    Raises:
        IndexError: ``label`` is not a class.
    """
    moves = [MOVES[name] for name in CLASSES[label].split('_and_')]
    return sum(direction * np.eye(4)[axis] for axis, direction in moves)


def render_clip(
    split: str, label: int, rng: np.random.Generator, domain: MotionDomain = DOMAINS['source']
) -> np.ndarray:
    """Render one clip.

    Args:
        split: 'train', 'val' or 'test': the texture families to draw from.
        label: Index into ``CLASSES``.
        rng: Source of all randomness.
        domain: Look of the clips.

    Returns:
        Uint8 array ``(frames of the domain, 64, 64, 3)``: height, width and RGB of each frame.
    """
    return render_path(split, draw_path(directions_of(label), rng, domain.num_frames), rng, domain)
