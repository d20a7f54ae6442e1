"""Long clips in which one motion follows another, with a label for every frame: for temporal segmentation.

A sprite moves in one of the eight motions of the embedded data set, then in another one, and so on; it goes on from
where it is, so that nothing but the motion tells where one ends. How long each lasts is drawn, too.
"""

import numpy as np

from mmkd_video.datasets.motion_clips import CLASSES, MOVES, draw_rates, poses_at, render_path
from mmkd_video.datasets.motion_domain import DOMAINS, MotionDomain

SEGMENTS = 6  # motions in a sequence
CLIPS_LONG = 4  # a sequence is as long as so many clips
_SHORTEST = 0.4  # a motion lasts so much of its even share at least


def draw_sequence(
    rng: np.random.Generator, num_frames: int, segments: int = SEGMENTS, clip_frames: int = 24
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the sprite's path, and what it does in each frame.

    Args:
        rng: Source of all randomness.
        num_frames: Frames of the sequence.
        segments: Number of motions.
        clip_frames: Frames in which a motion goes as far as in a clip of one motion.

    Returns:
        Poses ``(num_frames, 4)``, as of :func:`~mmkd_video.datasets.motion_clips.draw_poses`; and the classes
        ``(num_frames,)``, of which neighbouring segments have different ones. The step into a frame is of its class.
    """
    shares = _SHORTEST / segments + (1 - _SHORTEST) * rng.dirichlet(np.full(segments, 2.0))
    ends = np.round(np.cumsum(shares) * num_frames).astype(int)
    lengths = np.diff(ends, prepend=0)
    classes = [int(rng.integers(len(CLASSES)))]
    while len(classes) < segments:
        step = int(rng.integers(1, len(CLASSES)))  # never 0: another motion than the one before
        classes.append((classes[-1] + step) % len(CLASSES))
    phase, steps = rng.uniform(0, 1, 4), []
    for label, length in zip(classes, lengths, strict=True):
        axis, direction = MOVES[CLASSES[label]]
        steps += [direction * np.eye(4)[axis] * draw_rates(rng, clip_frames)] * int(length)
    return poses_at(phase + np.cumsum(steps, axis=0)), np.repeat(classes, lengths)


def render_clip(
    split: str, kind: int, rng: np.random.Generator, domain: MotionDomain = DOMAINS['source']
) -> tuple[np.ndarray, np.ndarray]:
    """Render one sequence.

    Args:
        split: 'train', 'val' or 'test': the texture families to draw from.
        kind: 0, the only kind.
        rng: Source of all randomness.
        domain: Look of the clips.

    Returns:
        Uint8 array ``(T, 64, 64, 3)`` with T four times the frames of a clip of the domain; and the class ``(T,)`` of
        each frame.
    """
    poses, classes = draw_sequence(rng, CLIPS_LONG * domain.num_frames, clip_frames=domain.num_frames)
    return render_path(split, poses, rng, domain), classes
