"""In which form a recognizer takes its input: frames, clips, skeletons, audio, or several of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmkd_video.recognizers.families import input_kind, pathway_shapes, skeleton_shape

Inputs = Tensor | dict[str, Tensor]
FRAMES = ('NCHW', 'NCTHW', 'MIX2d3d')
_SHAPES = {
    'NCHW': 'frames (T, C, H, W)',
    'NCTHW': 'clips (M, C, T, H, W)',
    'MIX2d3d': 'frames (T, C, H, W) or clips (M, C, T, H, W)',
    'skeletons': 'skeletons (M, persons, T, joints, C)',
    'audio': 'audio (M, 1, T, bins)',
    'several': 'several modalities at once',
}


@dataclass(frozen=True)
class InputForm:
    """What a recognizer is given.

    Attributes:
        kind: ``'NCHW'`` or ``'NCTHW'`` for frames and clips, of pixels, flow or heatmaps; ``'skeletons'``, ``'audio'``,
            or ``'several'`` for a dict of tensors.
        channels: Channels C of frames, clips or skeletons: 3 for RGB; None where it is not known.
    """

    kind: str
    channels: int | None = None

    def __str__(self) -> str:
        shape = _SHAPES.get(self.kind, self.kind)
        return shape if self.channels is None else f'{shape} with C={self.channels}'

    def takes(self, other: 'InputForm') -> bool:
        """Tell whether what is made for another recognizer, laid out anew where that is possible, fits this one."""
        known = None not in (self.channels, other.channels)
        if known and self.channels != other.channels:
            return False
        return self.kind == other.kind or (self.kind in FRAMES and other.kind in FRAMES)

    def channels_in(self, clip: Tensor) -> int | None:
        """Return how many channels one clip has; None where this form does not say where they are."""
        if self.kind == 'skeletons':
            return clip.shape[-1]
        if self.kind not in FRAMES or clip.ndim not in (4, 5):
            return None
        return clip.shape[-3] if clip.ndim == 4 else clip.shape[1]


def input_form(model: nn.Module) -> InputForm:
    """Return the form of a recognizer's input, from its class and its first layer.

    Args:
        model: A recognizer.
    """
    kind = input_kind(model) or getattr(getattr(model, 'data_preprocessor', None), 'format_shape', 'NCHW')
    return InputForm(kind, first_channels(model) if kind != 'several' else None)


def first_channels(model: nn.Module) -> int | None:
    """Return the channels that a model's first convolution reads; None where its first layer is a linear one."""
    layers = (nn.Conv2d, nn.Conv3d, nn.Linear)
    layer = next((module for module in model.modules() if isinstance(module, layers)), None)
    return None if layer is None or isinstance(layer, nn.Linear) else layer.weight.shape[1]


def count_clips(inputs: Inputs, kind: str | None = None) -> int:
    """Return the number of clips N of a batch, several clips of one sample counted each.

    Args:
        inputs: Inputs of the recognizer.
        kind: The kind of its form; by default ``'NCHW'`` for inputs of 5 dimensions and ``'NCTHW'`` for those of 6.
    """
    first = one_of(inputs)
    if kind is None or kind == 'MIX2d3d':
        kind = 'NCHW' if first.ndim == 5 else 'NCTHW'
    return first.shape[0] if kind == 'NCHW' else first.shape[0] * first.shape[1]


def one_of(inputs: Inputs) -> Tensor:
    """Return the inputs, or the first of several modalities."""
    return next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs


def shallow(inputs: Inputs) -> Inputs:
    """Return the inputs in a dict of their own where they are several: MMAction2 writes into what it is given."""
    return dict(inputs) if isinstance(inputs, Mapping) else inputs


def positive(inputs: Inputs) -> Inputs:
    """Return the absolute values of inputs."""
    return {name: each.abs() for name, each in inputs.items()} if isinstance(inputs, Mapping) else inputs.abs()


def to_device(inputs: Inputs, device: torch.device | str) -> Inputs:
    """Return the inputs on a device."""
    if isinstance(inputs, Mapping):
        return {name: each.to(device) for name, each in inputs.items()}
    return inputs.to(device)


def shape_of(inputs: Inputs) -> object:
    """Return the shape of inputs, or those of several modalities by name, for messages."""
    if isinstance(inputs, Mapping):
        return {name: tuple(each.shape) for name, each in inputs.items()}
    return tuple(inputs.shape)


def noise_clip(model: nn.Module, size: tuple[int, int, int]) -> Inputs:
    """Make one clip of noise as a recognizer takes it.

    Args:
        model: The recognizer.
        size: ``(T, H, W)``; of skeletons only T counts, audio has W bins.

    Returns:
        ``(1, T, C, H, W)`` for 2D recognizers, ``(1, 1, C, T, H, W)`` for 3D ones, ``(1, 1, persons, T, joints, C)``
        for graphs, ``(1, 1, 1, T, bins)`` for audio; a dict of clips by name for several modalities.
    """
    frames, height, width = size
    form = input_form(model)
    channels = form.channels or 3
    if form.kind == 'several':
        shapes = pathway_shapes(model.backbone, size, first_channels)
        return {name: _noise(model, shape) for name, shape in shapes.items()}
    if form.kind == 'skeletons':
        shape = (1, 1, *skeleton_shape(model.backbone, frames, channels))
    elif form.kind == 'audio':
        shape = (1, 1, channels, frames, width)
    elif form.kind == 'NCHW':
        shape = (1, frames, channels, height, width)
    else:
        shape = (1, 1, channels, frames, height, width)
    return _noise(model, shape)


def _noise(model: nn.Module, shape: tuple[int, ...]) -> Tensor:
    parameter = next(model.parameters())
    return torch.randn(shape, dtype=parameter.dtype, device=parameter.device)
