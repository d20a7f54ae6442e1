"""Which tensors of a layer hold its channels."""

from torch import Tensor, nn

from mmkd_video.pruning.heads import set_heads
from mmkd_video.pruning.opaque import Opaque
from mmkd_video.recognizers.families import has_separable_heads

Conv = nn.modules.conv._ConvNd
BatchNorm = nn.modules.batchnorm._BatchNorm


def reason_against_pruning(layer: nn.Module) -> str | None:
    """Return why channels of a layer cannot be removed; None where they can."""
    if isinstance(layer, Opaque):
        return f'a {layer.stands_for}'
    if isinstance(layer, Conv):
        if layer.transposed:
            return 'a transposed convolution'
        if layer.groups > 1 and not is_depthwise(layer):
            return f'a convolution in {layer.groups} groups'
        return None
    if isinstance(layer, (BatchNorm, nn.Linear)) or has_separable_heads(layer):
        return None
    return f'a {type(layer).__name__}'


def is_depthwise(layer: nn.Module) -> bool:
    """Return whether a layer filters every channel by itself: its two sides are one."""
    return isinstance(layer, Conv) and layer.groups > 1 and layer.groups == layer.in_channels == layer.out_channels


def channels_at(layer: nn.Module, side: str) -> int:
    """Return the number of channels on one side of a layer."""
    if has_separable_heads(layer):
        return layer.num_heads
    if isinstance(layer, BatchNorm):
        return layer.num_features
    if isinstance(layer, Conv):
        return layer.out_channels if side == 'out' else layer.in_channels
    return layer.out_features if side == 'out' else layer.in_features


def tensors_at(layer: nn.Module, side: str) -> list[tuple[str, Tensor, int]]:
    """Return the tensors that hold the channels of one side.

    Args:
        layer: A convolution, a linear layer or a batch norm.
        side: ``'out'`` or ``'in'``.

    Returns:
        Name, tensor and the dimension of the channels.
    """
    if has_separable_heads(layer):
        return []  # its children have their own cuts
    if side == 'in' and not is_depthwise(layer) and not isinstance(layer, BatchNorm):
        return [('weight', layer.weight, 1)]
    names = ['weight', 'bias'] + (['running_mean', 'running_var'] if isinstance(layer, BatchNorm) else [])
    return [(name, getattr(layer, name), 0) for name in names if getattr(layer, name) is not None]


def set_channels(layer: nn.Module, side: str, channels: int) -> None:
    """Set the new number of channels in a layer's attributes; its tensors are cut elsewhere."""
    if has_separable_heads(layer):
        set_heads(layer, channels)
    elif isinstance(layer, BatchNorm):
        layer.num_features = channels
    elif is_depthwise(layer):
        layer.in_channels = layer.out_channels = layer.groups = channels
    elif isinstance(layer, Conv):
        setattr(layer, 'out_channels' if side == 'out' else 'in_channels', channels)
    else:
        setattr(layer, 'out_features' if side == 'out' else 'in_features', channels)
