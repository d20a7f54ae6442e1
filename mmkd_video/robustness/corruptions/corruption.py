"""The base of all corruptions: decoded frames in, worse frames out."""

import abc
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform

from mmkd_video.core.checked import Whole
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TRANSFORMS

SEVERITIES = (1, 2, 3, 4, 5)
KEYS = dict(severity=Whole(1, 5), seed=Whole(0))
SHORT_SIDE = 224  # of the frames that lengths in pixels are told for


class Corruption(BaseTransform, abc.ABC):
    """What spoils a video on its way to a recognizer, in one of five severities.

    It stands right behind the decoder and changes ``results['imgs']``: RGB frames ``(H, W, 3)``, uint8, of which there
    are as many afterwards. What it draws follows from the seed, its own name and the name of the video's file, without
    the folder: the same clip is spoilt in the same way for every model, and in the same places in every severity.
    Frames are never changed in place. In ``DistillViews`` the views of teachers stay as they are.

    Args:
        severity: 1, the mildest, to 5.
        seed: Number that all that is random follows from.

    Attributes:
        of_one_view: Whether views that are cut from the same frames do without it.
    """

    of_one_view = True

    def __init__(self, severity: int = 3, seed: int = 0) -> None:
        self.severity, self.seed = severity, seed

    @abc.abstractmethod
    def corrupt(self, frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """Return as many corrupted frames of one clip.

        Args:
            frames: Frames ``(H, W, 3)`` of one size, uint8, in their order in time; they are not changed.
            rng: Generator of all that is random.
        """

    def transform(self, results: dict) -> dict:
        """Corrupt the frames of a sample.

        Args:
            results: Sample as the decoder left it.

        Raises:
            ValueError: There are no RGB frames of uint8 in it.
        """
        name = str(results.get('filename') or results.get('frame_dir') or '')
        return self.spoil(results, np.random.default_rng(_seed(self.seed, type(self).__name__, Path(name).name)))

    def spoil(self, results: dict, rng: np.random.Generator) -> dict:
        """Corrupt the frames of a sample with a given generator, clip by clip; see :meth:`transform`."""
        frames = list(results.get('imgs', ()))
        if not frames or any(each.dtype != np.uint8 or each.ndim != 3 or each.shape[2] != 3 for each in frames):
            found = f'{frames[0].dtype} {frames[0].shape}' if frames else 'no frames'
            raise WrongValueError(
                f'{type(self).__name__}: got {found}; expected RGB frames (H, W, 3) of uint8; put it right behind the '
                'decoder, before crops and FormatShape'
            )
        length = int(results.get('clip_len') or 1)
        if length == 1 or len(frames) % length:  # single frames, one of each segment, are one clip
            length = len(frames)
        spoilt = [self.corrupt(frames[at : at + length], rng) for at in range(0, len(frames), length)]
        return {**results, 'imgs': [frame for clip in spoilt for frame in clip]}

    def level(self, levels: Sequence[float]) -> float:
        """Return the value of its severity among those of all five."""
        return levels[self.severity - 1]


def scaled(pixels: float, frame: np.ndarray) -> float:
    """Return a length in a frame that is told for one whose shorter side has 224 pixels."""
    return pixels * min(frame.shape[:2]) / SHORT_SIDE


def to_uint8(frame: np.ndarray) -> np.ndarray:
    """Return a frame of any numbers as uint8, rounded and clipped to 0 to 255."""
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def corruptions() -> dict[str, type[Corruption]]:
    """Return all registered corruptions of one kind by name, those of users too."""
    found: Mapping[str, type] = TRANSFORMS.module_dict
    return {name: each for name, each in found.items() if isinstance(each, type) and issubclass(each, Corruption)}


def _seed(seed: int, *names: str) -> list[int]:
    digest = hashlib.sha256('\n'.join(names).encode()).digest()
    return [seed, *np.frombuffer(digest[:16], dtype='<u4').tolist()]
