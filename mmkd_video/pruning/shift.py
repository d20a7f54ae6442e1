"""TSM's shift on pruned channels.

``TemporalShift`` moves the first ``C // shift_div`` channels one frame back and the next as many one frame on. Once
channels are removed, ``C`` shrinks and others would be moved than those the network was trained to move; here the
survivors of each part move as before.
"""

from functools import partial

import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.families import shift_parts_of, shifts_channels


def disable_shifts(model: nn.Module) -> None:
    """Make every shift of a model return its input: slices and concatenations over channels cannot be traced."""
    for module in model.modules():
        if shifts_channels(module):
            module.shift = _identity


def shifted_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return by name the convolution that takes the channels of each shift, with its ``TemporalShift``.

    Raises:
        ValueError: A shift stands before something else, such as a norm.
    """
    found = {}
    for name, module in model.named_modules():
        if shifts_channels(module):
            convolutions = (n for n, m in module.net.named_modules() if isinstance(m, nn.modules.conv._ConvNd))
            inner = next(convolutions, None)
            if inner is None:
                raise WrongValueError(
                    f'pruning: got a shift before {name}.net, a {type(module.net).__name__}; expected one before a '
                    'convolution; take a backbone whose residual branches begin with convolutions'
                )
            found[f'{name}.net.{inner}'.rstrip('.')] = module
    return found


def cut_shift(module: nn.Module, channels: int, removed: tuple[int, ...]) -> None:
    """Adapt a shift to removed channels: what is left of each part moves as before.

    Args:
        module: A ``TemporalShift``.
        channels: Channels before the removal.
        removed: The removed ones.
    """
    back, on = shift_parts_of(module, channels)
    lost_back = sum(index < back for index in removed)
    lost_on = sum(back <= index < back + on for index in removed)
    module.shift_parts = (back - lost_back, on - lost_on)
    module.shift = partial(shift_parts, parts=module.shift_parts)


def shift_parts(x: Tensor, num_segments: int, shift_div: int = 3, parts: tuple[int, int] = (0, 0)) -> Tensor:
    """Shift the first channels one frame back in time and the next ones one frame on.

    Args:
        x: ``(N * num_segments, C, H, W)``.
        num_segments: Frames of a clip.
        shift_div: Argument of MMAction2's ``TemporalShift.shift``; not used.
        parts: Numbers of channels that go back, and that go on.

    Returns:
        ``(N * num_segments, C, H, W)``.
    """
    back, on = parts
    clips = x.unflatten(0, (-1, num_segments))
    pieces = []
    if back:
        piece = clips[:, :, :back]
        pieces.append(torch.cat([piece[:, 1:], torch.zeros_like(piece[:, :1])], dim=1))
    if on:
        piece = clips[:, :, back : back + on]
        pieces.append(torch.cat([torch.zeros_like(piece[:, :1]), piece[:, :-1]], dim=1))
    if back + on < clips.shape[2]:
        pieces.append(clips[:, :, back + on :])
    return torch.cat(pieces, dim=2).flatten(0, 1)


def _identity(x: Tensor, num_segments: int, shift_div: int = 3) -> Tensor:
    return x
