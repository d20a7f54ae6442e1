"""Pictures as the test pipeline prepares them, one by one."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.export import ExportMetadata
from mmkd_video.serving.picture_steps import LARGEST_SIDE, build_steps
from mmkd_video.serving.seen_part import LITTLE_SEEN, fitting_size, seen_part


class FramePreparer:
    """The part of a model's test pipeline between decoding and ``FormatShape``, for one picture at a time.

    MMAction2's own transforms do the work, so that a stream's frames are those that the model was tested on; those of a
    closed list, because a file names them. A picture that several windows share is prepared once.

    Args:
        metadata: Metadata of the exported model.
        path: Path of its file, for messages.
        fit: Whether pictures are resized first such that the model sees most of them, where that depends on their size.

    Attributes:
        seen: The share of the latest picture's area that reaches the model; None where that is not known.
        repeats: Number of times that a window stands in the model's input; more than 1 where the file was exported
            for several clips at once.

    Raises:
        ValueError: The metadata hold no test pipeline, one that cannot run frame by frame, or one with a transform or
            an argument that is not on the list.
    """

    def __init__(self, metadata: ExportMetadata, path: object = 'the model', fit: bool = False) -> None:
        self.metadata, self.fit = metadata, fit
        self.seen: float | None = None
        self._size, self._fitting = (0, 0), None
        self._transforms = build_steps(_spatial_steps(metadata.pipeline, path), path)
        self.repeats = 0  # known with the first picture, which tells the number of crops
        self._dtype = np.dtype(metadata.dtype)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Prepare one picture.

        Args:
            image: ``(H, W, 3)`` uint8, BGR; of any size, also of another than the one before.

        Returns:
            ``(crops, C, H', W')`` as the model takes it.

        Raises:
            ValueError: The pipeline does not make of it what the model takes; the picture is too small, usually.
        """
        height, width = image.shape[:2]
        if (height, width) != self._size:
            self._look_at(height, width)
        if self._fitting is not None:
            image = cv2.resize(image, self._fitting[::-1], interpolation=cv2.INTER_AREA)
        try:
            prepared = self._run(image)
        except (AssertionError, ValueError, cv2.error) as error:  # how transforms complain
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise WrongValueError(
                f"a picture of {width} x {height} pixels does not go through the model's pipeline ({reason}); give a "
                'larger one, resize with --fit (fit=True), or export a model whose pipeline resizes first'
            ) from error
        expected = self.metadata.shape[-2:]
        if prepared.shape[2:] != expected:
            raise WrongValueError(
                f'a picture of {width} x {height} pixels becomes {prepared.shape[3]} x {prepared.shape[2]} in the '
                f"model's pipeline, but the model takes {expected[1]} x {expected[0]}; give a larger one, resize with "
                '--fit (fit=True), or export a model whose pipeline resizes'
            )
        if not self.repeats:
            self.repeats = self._count_repeats(len(prepared))
        return np.ascontiguousarray(prepared, dtype=self._dtype)

    @property
    def warning(self) -> str | None:
        """What is to be said about how little of the pictures the model sees; None where it sees enough."""
        if self.seen is None or self.seen >= LITTLE_SEEN:
            return None
        height, width = self._size
        remedy = '' if self.fit else '; --fit (fit=True) resizes pictures first, so that it sees more'
        return f'the model sees {self.seen:.1%} of each picture of {width} x {height} pixels{remedy}'

    def assemble(self, frames: Sequence[np.ndarray]) -> np.ndarray:
        """Lay the frames of a window out as the model takes them.

        Args:
            frames: Prepared frames, each ``(crops, C, H, W)``, in the order of time.

        Returns:
            ``(M, C, H, W)`` or ``(M, C, T, H, W)``, as ``metadata.layout`` says; ``(C, H, W)`` for a model that takes
            one frame at a time.
        """
        if self.metadata.streams:
            return frames[0][0]
        axis = 1 if self.metadata.layout == 'NCHW' else 2
        clips = np.stack(frames, axis=axis)  # crops first, then time, as FormatShape has it
        if self.repeats > 1:
            clips = np.repeat(clips[:, None], self.repeats, axis=1)
            clips = clips.reshape(-1, *clips.shape[2:])
        return clips.reshape(-1, *clips.shape[2:]) if axis == 1 else clips

    def _look_at(self, height: int, width: int) -> None:
        self._size = height, width
        self._fitting = fitting_size(self._run, height, width, self.metadata.shape[-2:]) if self.fit else None
        part = seen_part(self._run, *(self._fitting or self._size))
        self.seen = None if part is None else part[0] * part[1]

    def _run(self, image: np.ndarray) -> np.ndarray:
        size = image.shape[:2]
        results = dict(
            imgs=[cv2.cvtColor(image, cv2.COLOR_BGR2RGB)],
            img_shape=size,
            original_shape=size,
            clip_len=1,
            num_clips=1,
            modality='RGB',
        )
        for transform in self._transforms:
            results = transform(results)
            # A factor on a factor: the next one would take all memory.
            if max(results['imgs'][0].shape[:2]) > LARGEST_SIDE:
                raise WrongValueError(f'{transform} makes a picture of more than {LARGEST_SIDE} pixels a side')
            if results['imgs'][0].shape[:2] != tuple(results['img_shape']):  # a crop beyond the picture
                raise WrongValueError(f'{transform} does not fit')
        return np.stack(results['imgs']).transpose(0, 3, 1, 2)

    def _count_repeats(self, crops: int) -> int:
        whole = self.metadata.shape[0]
        once = crops * (self.metadata.frames if self.metadata.layout == 'NCHW' else 1)
        if self.metadata.dynamic_clips:
            return 1
        if whole % once:
            raise WrongValueError(
                f'the model takes {whole} frames or clips at once, which {crops} crop(s) of {self.metadata.frames} '
                'frames do not divide; export it again with its test pipeline'
            )
        return whole // once


def _spatial_steps(pipeline: Sequence[Mapping], path: object) -> list[Mapping]:
    """Return the steps between decoding and formatting."""
    kinds = [str(step.get('type', '')).rpartition('.')[2] for step in pipeline]
    decoders = [index for index, kind in enumerate(kinds) if kind.endswith('Decode')]
    if not decoders or 'FormatShape' not in kinds:
        raise WrongValueError(
            f'{path} holds no test pipeline with a decoder and FormatShape, so it is not known how its frames are '
            'prepared; export it with tools/export.py and its config'
        )
    steps = range(decoders[-1] + 1, kinds.index('FormatShape'))
    random = [kinds[index] for index in steps if kinds[index].startswith(('Random', 'Flip', 'ColorJitter'))]
    if random:
        raise WrongValueError(
            f'{path}: its pipeline draws at random ({", ".join(random)}); export it with its test pipeline'
        )
    return [pipeline[index] for index in steps]
