"""The shape of the clips that a test pipeline gives, found without a video."""

from collections.abc import Mapping, Sequence

import numpy as np
from mmaction.registry import TRANSFORMS
from mmengine.registry import DefaultScope

from mmkd_video.core.mistakes import WrongValueError

PICTURES = ((1000, 1500), (1500, 1000))  # height and width: of two shapes, to see whether that matters
FRAMES, FRAMES_PER_SECOND = 300, 25.0
OF_FILES = ('Init', 'Decode')  # what these steps read is made here


def expect_shape(shape: Sequence[int], pipeline: Sequence[Mapping], any_clips: bool = False) -> None:
    """Check the shape of one sample that the user gave instead of a data set.

    Args:
        shape: ``(M, C, H, W)`` or ``(M, C, T, H, W)``.
        pipeline: Pipeline of the test.
        any_clips: Whether M is free.

    Raises:
        ValueError: The pipeline leaves clips of another shape.
    """
    left = clip_shape(pipeline)
    if left is None:
        return
    expected = (None, *left[1:]) if any_clips else left
    same = len(shape) == len(left) and all(
        size is None or size == given for size, given in zip(expected, shape, strict=True)
    )
    if not same:
        wanted = ' '.join('N' if size is None else str(size) for size in left)
        raise WrongValueError(
            f'--shape: got {" ".join(map(str, shape))}, but the test pipeline, which is stored in the file, leaves '
            f'{wanted}{" for any N" if None in left else ""}; give that shape, or change that pipeline'
        )


def clip_shape(pipeline: Sequence[Mapping]) -> tuple[int | None, ...] | None:
    """Return the shape of one sample.

    Args:
        pipeline: Pipeline of the test.

    Returns:
        Its sizes, None where they depend on the video; None in all where the pipeline does not run on pictures.
    """
    try:
        with DefaultScope.overwrite_default_scope('mmaction'):
            found = [_run(pipeline, picture) for picture in PICTURES]
    except Exception:  # of any transform, also of a user's own: then nothing is known
        return None
    if len(found[0]) != len(found[1]):
        return None
    return tuple(one if one == other else None for one, other in zip(*found, strict=True))


def _run(pipeline: Sequence[Mapping], size: tuple[int, int]) -> tuple[int, ...]:
    results = dict(
        total_frames=FRAMES, start_index=0, avg_fps=FRAMES_PER_SECOND, modality='RGB', label=0, filename='',
        img_shape=size, original_shape=size,
    )  # fmt: skip
    for step in pipeline:
        kind = str(step['type']).rpartition('.')[2]
        if kind.endswith('Decode'):
            results['imgs'] = [np.zeros((*size, 3), np.uint8)] * len(np.ravel(results['frame_inds']))
        if not kind.endswith(OF_FILES):
            results = TRANSFORMS.build(dict(step))(results)
    return tuple(results['inputs'].shape)
