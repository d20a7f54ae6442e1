"""Exits: classifiers at shallow places of a recognizer, which training needs and inference does not."""

from collections.abc import Sequence

from torch import Tensor, nn

from mmkd_video.core.layouts import channels_of, layout_of
from mmkd_video.core.mistakes import WrongValueError


class Exit(nn.Module):
    """A bottleneck and a classifier behind a feature of a recognizer.

    A map ``(N, C, T, H, W)`` passes three convolutions (1 x 1 x 1, 1 x 3 x 3 with a stride of 2, 1 x 1 x 1) with batch
    norms, tokens ``(N, L, C)`` and vectors ``(N, C)`` a linear layer and a layer norm; then they are averaged and
    classified.

    Args:
        feature: Example of the feature.
        hidden: Number of channels inside the bottleneck.
        width: Number of channels D that the exit classifies, those of the deepest feature.
        num_classes: Number of classes K.

    Raises:
        ValueError: The feature is none of the three.
    """

    def __init__(self, feature: Tensor, hidden: int, width: int, num_classes: int) -> None:
        super().__init__()
        channels, layout = channels_of(feature.shape), layout_of(feature.shape)
        self.layout = layout
        if layout == 'map':
            self.reduce = nn.Sequential(
                *_convolution(channels, hidden, (1, 1, 1)),
                *_convolution(hidden, hidden, (1, 3, 3), stride=(1, 2, 2)),
                *_convolution(hidden, width, (1, 1, 1)),
            )
        elif layout in ('tokens', 'vector'):
            self.reduce = nn.Sequential(nn.Linear(channels, width), nn.LayerNorm(width), nn.GELU())
        else:
            raise WrongValueError(f'got a feature of shape {tuple(feature.shape)}; expected a map, tokens or a vector')
        self.classify = nn.Linear(width, num_classes)

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Return class scores ``(N, K)`` and the vector ``(N, D)`` that they are made of.

        Args:
            feature: ``(N, C, T, H, W)``, ``(N, L, C)`` or ``(N, C)``, as the example was.
        """
        reduced = self.reduce(feature)
        if self.layout == 'map':
            reduced = reduced.flatten(2).mean(dim=2)
        elif self.layout == 'tokens':
            reduced = reduced.mean(dim=1)
        return self.classify(reduced), reduced


def _convolution(channels: int, out: int, kernel: Sequence[int], stride: Sequence[int] | int = 1) -> list[nn.Module]:
    padding = [size // 2 for size in kernel]
    convolution = nn.Conv3d(channels, out, tuple(kernel), stride, padding, bias=False)
    return [convolution, nn.BatchNorm3d(out), nn.ReLU()]
