"""Tokens of a transformer as a map of the places that they stand for."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.libraries.transformers_families import TransformersFamily


def to_map(
    tokens: Tensor, family: TransformersFamily, settings: Mapping[str, Any], size: Sequence[int], clips: int
) -> Tensor:
    """Lay the tokens of patches out by time, height and width; others are left out.

    Args:
        tokens: ``(N, L, C)``; ``(N * T, L, C)`` of an encoder of single frames and of layers that look at one frame;
            ``(N * H' * W', T', C)`` of layers that look at one place through time.
        family: Facts about the model.
        settings: Its settings.
        size: Frames, height and width of a clip, in pixels.
        clips: Number N of clips.

    Returns:
        ``(N, C, T', H', W')``.

    Raises:
        ValueError: There are not as many tokens as the clip has patches.
    """
    depth, height, width = (max(side // patch, 1) for side, patch in zip(size, family.patch(settings), strict=True))
    fold, rest = divmod(tokens.shape[0], clips)
    places = height * width
    # the frames of an encoder of single frames are folded into the batch, whatever else is
    leading = family.leading(settings) if fold in (1, size[0]) else 0
    patches = tokens[:, leading:]
    count = patches.shape[1]
    if rest == 0 and fold == 1 and count == depth * places:
        order = (places, depth) if family.patch_first else (depth, places)
        laid_out = patches.unflatten(1, order)
        laid_out = laid_out.transpose(1, 2) if family.patch_first else laid_out
    elif rest == 0 and fold == depth and count == places:
        laid_out = patches.unflatten(0, (clips, depth))
    elif rest == 0 and fold == places and count == depth:
        laid_out = patches.unflatten(0, (clips, places)).transpose(1, 2)
    else:
        raise WrongValueError(
            f'{family.encoder}: got tokens of shape {tuple(tokens.shape)} for {clips} clips of {depth} x {height} x '
            f'{width} patches; expected {leading} + {depth * places} of each clip'
        )
    return laid_out.unflatten(2, (height, width)).permute(0, 4, 1, 2, 3)
