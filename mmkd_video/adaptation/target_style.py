"""Source clips that look as if they were of the target."""

from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmkd_video.core.checked import Fraction, Number, OneOf, Optional, Text, Whole, checked
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.recognizers.found_videos import find_videos

FOURIER, MOMENTS = 'fourier', 'moments'
LARGEST_GAIN = 10.0  # of a frequency that the source hardly has


@TRANSFORMS.register_module()
@checked(
    clips=Text('a folder of videos, or a list with one path a line'),
    root=Optional(Text('the folder that paths of the list are relative to'), "the list's own"),
    method=OneOf(FOURIER, MOMENTS),
    share=Fraction(),
    probability=Number(0, 1),
    frames=Whole(1),
)
class TargetStyle(BaseTransform):
    """Give a source clip the style of a random clip of the target.

    It comes right behind the decoder, before crops. Clips of the target itself, as ``MixedVideoDataset`` notes them,
    stay as they are. One and the same change is made to all frames of a clip, so that nothing flickers and what rests
    goes on resting.

    ``'fourier'``: the amplitudes of low frequencies, averaged over the frames, become those of the target's clip; the
    phases stay. Source: https://arxiv.org/abs/2004.05498 (FDA), which does the same for single images.
    ``'moments'``: mean and standard deviation of each colour over the clip become those of the target's clip. Source:
    https://arxiv.org/abs/1703.06868 (AdaIN), which does this for features of a network.

    Args:
        clips: Folder of the target's videos, or a list of them, one path a line; labels behind them are not read.
        root: Folder that paths of a list are relative to; None for the folder of the list.
        method: ``'fourier'`` or ``'moments'``.
        share: Half width of the square of low frequencies, as a share of the frame, for ``'fourier'``; all of them from
            0.5 on. The authors use 0.01 to 0.09.
        probability: Share of the source clips that are changed.
        frames: Number of frames of the target's clip that are looked at.

    Raises:
        FileNotFoundError: ``clips`` does not exist.
        ValueError: A value is out of its range, or ``clips`` names no video.
    """

    def __init__(
        self,
        clips: str,
        root: str | None = None,
        method: str = FOURIER,
        share: float = 0.05,
        probability: float = 0.5,
        frames: int = 4,
    ) -> None:
        self.method, self.share, self.probability = method, share, probability
        self.clips, self.root, self.frames = clips, root, frames
        self._paths: list[str] | None = None
        sample = dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=frames, test_mode=True)
        self._steps = [TRANSFORMS.build(step) for step in (dict(type='DecordInit'), sample, dict(type='DecordDecode'))]

    def transform(self, results: dict) -> dict:
        """Change ``imgs``, a list of frames ``(H, W, 3)`` uint8, as probability has it.

        Raises:
            FileNotFoundError: ``clips`` does not exist.
        """
        changed, which = np.random.random(), np.random.random()  # as many draws for every clip
        if changed >= self.probability or results.get('domain') == 1:
            return results
        paths = self._videos()
        style = self._read(paths[int(which * len(paths))], results['imgs'][0].shape)
        frames = np.stack(results['imgs'])
        move = exchange_amplitudes if self.method == FOURIER else move_moments
        moved = move(frames, style, self.share) if self.method == FOURIER else move(frames, style)
        return {**results, 'imgs': list(moved)}

    def _videos(self) -> list[str]:
        """Return the paths; they are looked up when the first clip is loaded, as those of the data set may be made."""
        if self._paths is None:
            file = Path(self.clips)
            if not file.exists():
                raise MissingFileError(
                    f'TargetStyle.clips: {file} does not exist; expected a folder of videos or a list'
                )
            if file.is_dir():
                self._paths = [str(path) for path in find_videos(file, 'TargetStyle.clips')]
            else:
                lines = [line.split() for line in file.read_text().splitlines() if line.strip()]
                self._paths = [str(Path(self.root or file.parent, line[0])) for line in lines]
            if not self._paths:
                raise WrongValueError(f'TargetStyle.clips: {file} names no video')
        return self._paths

    def _read(self, path: str, shape: tuple[int, ...]) -> np.ndarray:
        """Return frames of a video ``(T, H, W, 3)`` in the size of the source's."""
        found = dict(filename=path, start_index=0, modality='RGB')
        for step in self._steps:
            found = step(found)
        return np.stack([cv2.resize(frame, shape[1::-1]) for frame in found['imgs']])


def move_moments(frames: np.ndarray, style: np.ndarray) -> np.ndarray:
    """Return frames with mean and standard deviation of each colour, over the clip, of other frames.

    Args:
        frames: ``(T, H, W, 3)`` uint8.
        style: ``(S, H', W', 3)`` uint8.

    Returns:
        ``(T, H, W, 3)`` uint8.
    """
    axes = (0, 1, 2)
    own, theirs = frames.astype(np.float32), style.astype(np.float32)
    gain = np.minimum(theirs.std(axes) / np.maximum(own.std(axes), 1e-3), LARGEST_GAIN)
    return _as_pictures((own - own.mean(axes)) * gain + theirs.mean(axes))


def exchange_amplitudes(frames: np.ndarray, style: np.ndarray, share: float) -> np.ndarray:
    """Return frames whose low frequencies have, on average over the clip, the amplitudes of other frames.

    Args:
        frames: ``(T, H, W, 3)`` uint8.
        style: ``(S, H, W, 3)`` uint8, of the same size.
        share: Half width of the square of low frequencies, as a share of height and width.

    Returns:
        ``(T, H, W, 3)`` uint8.
    """
    axes = (1, 2)
    spectrum = np.fft.fft2(frames.astype(np.float32), axes=axes)
    own = np.abs(spectrum).mean(0)
    theirs = np.abs(np.fft.fft2(style.astype(np.float32), axes=axes)).mean(0)
    low = np.abs(np.fft.fftfreq(frames.shape[1]))[:, None] <= share
    low = (low & (np.abs(np.fft.fftfreq(frames.shape[2])) <= share))[..., None]
    gain = np.clip(theirs / np.maximum(own, 1e-3), 1 / LARGEST_GAIN, LARGEST_GAIN)
    return _as_pictures(np.fft.ifft2(spectrum * np.where(low, gain, 1.0), axes=axes).real)


def _as_pictures(frames: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)
