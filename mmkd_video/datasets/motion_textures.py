"""Procedural textures of the motion clips, in families that no two splits share.

A family is a way to draw a pattern, not a seed: a network that knows every training texture by heart has still never
seen a test texture. All patterns are coarse (a few cells across the sprite) so that small networks can follow them, and
none is symmetric under rotation about the sprite's centre.
"""

from collections.abc import Callable

import numpy as np

from mmkd_video.core.mistakes import WrongKeyError

Field = Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]
Families = dict[str, dict[str, Field]]


def _square_wave(phase: np.ndarray) -> np.ndarray:
    return (np.sin(phase) > 0).astype(np.float32)


def _stripes(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _square_wave(rng.uniform(4.0, 7.0) * u + rng.uniform(0, 2 * np.pi) + 0 * v)


def _checks(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    frequency = rng.uniform(3.0, 5.0)
    across, along = (_square_wave(frequency * axis + rng.uniform(0, 2 * np.pi)) for axis in (u, v))
    return np.abs(across - along)


def _spots(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    field = np.zeros_like(u)
    for _ in range(rng.integers(4, 8)):
        x, y = rng.uniform(-0.8, 0.8, 2)
        field[(u - x) ** 2 + (v - y) ** 2 < rng.uniform(0.2, 0.4) ** 2] = 1
    return field


def _spokes(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    x, y = rng.uniform(-0.4, 0.4, 2)
    return _square_wave(rng.integers(2, 5) * np.arctan2(v - y, u - x))


def _bricks(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    rows = v * rng.uniform(1.6, 2.4) + rng.uniform(0, 1)
    columns = u * rng.uniform(1.0, 1.6) + 0.5 * (np.floor(rows) % 2)
    return ((rows % 1 > 0.2) & (columns % 1 > 0.15)).astype(np.float32)


def _waves(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    bend = rng.uniform(0.8, 1.6) * np.sin(rng.uniform(2.0, 3.5) * v + rng.uniform(0, 2 * np.pi))
    return 0.5 + 0.5 * np.sin(rng.uniform(4.0, 7.0) * u + bend)


def _triangles(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    cells = np.zeros_like(u)
    frequency = rng.uniform(1.0, 1.6)
    for angle in (0, np.pi / 3, 2 * np.pi / 3):
        cells += np.floor(frequency * (u * np.cos(angle) + v * np.sin(angle)) + rng.uniform(0, 1))
    return cells % 2


def _patches(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    seeds = rng.uniform(-1, 1, (9, 2))
    nearest = np.argmin([(u - x) ** 2 + (v - y) ** 2 for x, y in seeds], axis=0)
    return rng.permutation(np.linspace(0, 1, len(seeds))).astype(np.float32)[nearest]


def _rings(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 0.9)
    x, y = distance * np.cos(angle), distance * np.sin(angle)
    return _square_wave(rng.uniform(5.0, 8.0) * np.hypot(u - x, v - y))


def _slopes(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (rng.uniform(0.7, 1.1) * u + rng.uniform(0, 1) + 0.3 * np.sin(rng.uniform(2.0, 4.0) * v)) % 1


def _blotches(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    field = np.zeros_like(u)
    for _ in range(6):
        x, y = rng.uniform(-0.9, 0.9, 2)
        field += rng.choice((-1, 1)) * np.exp(-((u - x) ** 2 + (v - y) ** 2) / rng.uniform(0.08, 0.2))
    return 1 / (1 + np.exp(-4 * field))


def _ladders(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    rungs = _square_wave(rng.uniform(6.0, 9.0) * v + rng.uniform(0, 2 * np.pi))
    return np.where(np.abs(u - rng.uniform(-0.4, 0.4)) < rng.uniform(0.3, 0.5), rungs, rng.uniform(0, 1))


def _crosses(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    x, y = rng.uniform(-0.4, 0.4, 2)
    arms = (np.abs(u - x) < rng.uniform(0.1, 0.25)) | (np.abs(v - y) < rng.uniform(0.1, 0.25))
    return np.where(arms, 1.0, 0.3 + 0.3 * (u > x) * (v > y))


def _petals(rng: np.random.Generator, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    x, y = rng.uniform(-0.3, 0.3, 2)
    angle = np.arctan2(v - y, u - x)
    return (np.hypot(u - x, v - y) < 0.45 + 0.3 * np.sin(rng.integers(2, 4) * angle)).astype(np.float32)


FAMILIES: Families = {
    'train': {'stripes': _stripes, 'checks': _checks, 'spots': _spots, 'spokes': _spokes},
    'val': {'bricks': _bricks, 'waves': _waves},
    'test': {'triangles': _triangles, 'patches': _patches, 'rings': _rings},
}
"""Split -> family -> pattern; every pattern belongs to one split only."""
TARGET_FAMILIES: Families = {
    'train': {'slopes': _slopes, 'blotches': _blotches},
    'val': {'ladders': _ladders},
    'test': {'crosses': _crosses, 'petals': _petals},
}
"""Those of another domain, none of which is in the first one."""


def draw_texture(
    split: str,
    rng: np.random.Generator,
    size: int,
    dark: np.ndarray,
    bright: np.ndarray,
    families: Families = FAMILIES,
) -> np.ndarray:
    """Draw one texture from a random family of a split.

    Args:
        split: 'train', 'val' or 'test'.
        rng: Source of all randomness.
        size: Edge length in pixels.
        dark, bright: Colours between which the pattern alternates, shape ``(3,)``, 0 to 255.
        families: Families of each split.

    Returns:
        Float32 array ``(size, size, 3)``, 0 to 255.

    Raises:
        KeyError: unknown split.
    """
    if split not in families:
        raise WrongKeyError(f'split: got {split!r}, expected one of {list(families)}')
    family = families[split][rng.choice(list(families[split]))]
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    turn = rng.uniform(0, 2 * np.pi)
    field = family(rng, x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn))
    return (dark + (bright - dark) * field[..., None]).astype(np.float32)
