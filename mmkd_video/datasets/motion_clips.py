"""The embedded data set, one clip at a time: a textured sprite in one of eight motions over a moving, noisy background.

A sprite has four degrees of freedom: x, y, angle and log-size. Each has a cyclic phase that starts uniformly anywhere;
the label names the one that moves, and which way, and a phase that runs out of its range starts again at the other end.
So every frame of every clip, taken alone, has exactly the same distribution in all eight classes: whatever a network
knows about the label, it knows from motion. The background drifts in a direction of its own.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmkd_video.core.mistakes import UnwrittenFileError
from mmkd_video.datasets.motion_domain import DOMAINS, MotionDomain
from mmkd_video.datasets.motion_textures import FAMILIES, draw_texture

CLASSES = ('left', 'right', 'up', 'down', 'clockwise', 'counterclockwise', 'zoom_in', 'zoom_out')
SIZE = 64  # pixels
NUM_FRAMES = 24
FPS = 12

# The sprite's pose is (x, y, angle, log-size): pixels from the centre, pixels (down), radians (clockwise), log pixels.
_POSE_LOW = np.array([-18.0, -18.0, 0.0, np.log(28.0)])
_POSE_HIGH = np.array([18.0, 18.0, 2 * np.pi, np.log(68.0)])
# What one unit of speed means in a whole clip, for each degree of freedom.
_POSE_PER_SPEED = np.array([SIZE, SIZE, 4.5, 1.4])
_SPEED = (0.4, 0.7)
MOVES = {  # class: (degree of freedom, direction)
    'left': (0, -1),
    'right': (0, 1),
    'up': (1, -1),
    'down': (1, 1),
    'clockwise': (2, 1),
    'counterclockwise': (2, -1),
    'zoom_in': (3, 1),
    'zoom_out': (3, -1),
}
_SPRITE = 96  # edge of the sprite's own picture, pixels


def draw_poses(label: int, rng: np.random.Generator, num_frames: int = NUM_FRAMES) -> np.ndarray:
    """Draw the sprite's path.

    Args:
        label: Index into ``CLASSES``.
        rng: Source of all randomness; how much of it is used does not depend on the label.
        num_frames: Frames of the clip; the path is as long.

    Returns:
        Array ``(num_frames, 4)``: x and y in pixels from the frame's centre, clockwise angle in radians, log of the
        size in pixels. The first row does not depend on the label.

    Raises:
        IndexError: ``label`` is not a class.
    """
    axis, direction = MOVES[CLASSES[label]]
    return draw_path(direction * np.eye(4)[axis], rng, num_frames)


def draw_path(directions: np.ndarray, rng: np.random.Generator, num_frames: int = NUM_FRAMES) -> np.ndarray:
    """Draw a path on which several degrees of freedom may move at once.

    Args:
        directions: ``(4,)``, for each degree of freedom 1 or -1 where it moves, 0 where it rests.
        rng: Source of all randomness; how much of it is used does not depend on the directions.
        num_frames: Frames of the clip; the path is as long.

    Returns:
        Array ``(num_frames, 4)``, as of :func:`draw_poses`.
    """
    phase = np.repeat(rng.uniform(0, 1, (1, 4)), num_frames, axis=0)
    rate = draw_rates(rng, num_frames)
    phase += directions * rate * np.arange(num_frames)[:, None]
    return poses_at(phase)


def draw_rates(rng: np.random.Generator, num_frames: int = NUM_FRAMES) -> np.ndarray:
    """Draw how far each degree of freedom moves in a frame where it moves, ``(4,)``, as a share of its range.

    Args:
        rng: Source of all randomness.
        num_frames: Frames in which it moves as far as a whole clip goes.
    """
    return rng.uniform(*_SPEED) * _POSE_PER_SPEED / (_POSE_HIGH - _POSE_LOW) / num_frames


def poses_at(phases: np.ndarray) -> np.ndarray:
    """Return the poses ``(T, 4)``, as of :func:`draw_poses`, at phases ``(T, 4)``; only their fractions count."""
    return _POSE_LOW + (_POSE_HIGH - _POSE_LOW) * (phases % 1)


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
        Uint8 array ``(frames of the domain, SIZE, SIZE, 3)``.
    """
    return render_path(split, draw_poses(label, rng, domain.num_frames), rng, domain)


def render_path(
    split: str, poses: np.ndarray, rng: np.random.Generator, domain: MotionDomain = DOMAINS['source']
) -> np.ndarray:
    """Render a clip whose sprite takes a given path.

    Args:
        split: Name of the texture families, as of :func:`render_clip`.
        poses: ``(T, 4)``, as of :func:`draw_poses`.
        rng: Source of all other randomness.
        domain: Look of the clip.

    Returns:
        Uint8 array ``(T, SIZE, SIZE, 3)``.
    """
    return render_paths(split, [poses], rng, domain)


def render_paths(
    split: str, paths: Sequence[np.ndarray], rng: np.random.Generator, domain: MotionDomain = DOMAINS['source']
) -> np.ndarray:
    """Render a clip with as many sprites as there are paths; later ones pass in front of earlier ones.

    Args:
        split: Name of the texture families, as of :func:`render_clip`.
        paths: ``(T, 4)`` each, as of :func:`draw_poses`.
        rng: Source of all other randomness.
        domain: Look of the clip.

    Returns:
        Uint8 array ``(T, SIZE, SIZE, 3)``.
    """
    background = draw_texture(split, rng, 2 * SIZE, *rng.uniform(*domain.background, (2, 3)), domain.textures)
    background = cv2.GaussianBlur(background, (0, 0), 3)
    drift = rng.uniform(-0.6, 0.6, 2)  # pixels a frame
    sprites = [_draw_sprite(split, rng, domain) for _ in paths]
    frames = []
    for index in range(len(paths[0])):
        shift = np.float32([[1, 0, index * drift[0] - SIZE / 2], [0, 1, index * drift[1] - SIZE / 2]])
        frame = cv2.warpAffine(background, shift, (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT)
        for poses, (sprite, mask) in zip(paths, sprites, strict=True):
            matrix = sprite_matrix(poses[index])
            alpha = cv2.warpAffine(mask, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR)[..., None]
            drawn = cv2.warpAffine(sprite, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
            frame = frame + alpha * (drawn - frame)
        frames.append(frame)
    filmed = domain.film(np.stack(frames), rng)
    noise = rng.normal(0, domain.noise, (len(filmed), SIZE, SIZE, 1))
    return np.clip(filmed + noise, 0, 255).astype(np.uint8)


def _draw_sprite(split: str, rng: np.random.Generator, domain: MotionDomain) -> tuple[np.ndarray, np.ndarray]:
    """Return a sprite's own picture ``(_SPRITE, _SPRITE, 3)`` and its outline, a mask of 0 to 1."""
    colours = rng.uniform(0, 255, (2, 3))
    ends = 0.5 * colours[0], 127 + 0.5 * colours[1]
    sprite = draw_texture(split, rng, _SPRITE, *(_faded(each, domain.contrast) for each in ends), domain.textures)
    return sprite, _draw_silhouette(rng)


def _faded(colour: np.ndarray, contrast: float) -> np.ndarray:
    return colour if contrast == 1.0 else 127 + contrast * (colour - 127)


def sprite_matrix(pose: np.ndarray) -> np.ndarray:
    """Return the affine map ``(2, 3)`` from the sprite's picture to the frame, for one row of ``draw_poses``."""
    x, y, angle, log_size = pose
    scale = np.exp(log_size) / _SPRITE
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])  # y points down: a positive angle is clockwise
    centre = SIZE / 2 + np.array([x, y]) - turn @ np.full(2, _SPRITE / 2)
    return np.hstack([turn, centre[:, None]])


def clip_rng(seed: int, split: str, index: int, domain: MotionDomain = DOMAINS['source']) -> np.random.Generator:
    """Return the generator of one clip; every clip has its own, so the order of rendering does not matter."""
    number = [] if domain.number is None else [domain.number]
    return np.random.default_rng([seed, list(FAMILIES).index(split), index, *number])


def encode_clip(frames: np.ndarray, path: Path, fps: int = FPS) -> None:
    """Write frames ``(T, H, W, 3)``, uint8 RGB, as an MPEG-4 file.

    Raises:
        OSError: OpenCV cannot write the file, or not all of it.
    """
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), fps, frames.shape[2:0:-1])
    if not writer.isOpened():
        raise UnwrittenFileError(
            f'{path}: OpenCV cannot write MPEG-4 here; is the folder writable and the disk not full?'
        )
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    written = cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT)  # OpenCV is silent about a full disk
    if written != len(frames):
        raise UnwrittenFileError(f'{path}: {written:.0f} of {len(frames)} frames were written; is the disk full?')


def _draw_silhouette(rng: np.random.Generator) -> np.ndarray:
    """Return an irregular polygon as a soft mask ``(_SPRITE, _SPRITE)``, 0 to 1."""
    corners = rng.integers(3, 8)
    angles = (np.arange(corners) + rng.uniform(-0.25, 0.25, corners)) * 2 * np.pi / corners
    radii = rng.uniform(0.75, 0.98, corners) * _SPRITE / 2
    points = _SPRITE / 2 + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    mask = np.zeros((_SPRITE, _SPRITE), np.float32)
    cv2.fillPoly(mask, [points.round().astype(np.int32)], 1.0)
    return cv2.GaussianBlur(mask, (0, 0), 1)
