"""The published architectures of MoViNets A0 to A2."""

from dataclasses import dataclass

Layer = tuple[int, tuple[int, ...], tuple[tuple[int, int], ...]]
"""Channels of a layer's output; channels inside each block; each kernel's frames, and its height and width."""

K13, K15, K33, K53 = (1, 3), (1, 5), (3, 3), (5, 3)
STRIDES = (2, 2, 2, 2, 1, 2)  # in height and width, of the stem and of the first block of each layer
HEAD_CHANNELS = 2048  # of the hidden layer before the classifier


@dataclass(frozen=True)
class Architecture:
    """What tells the models apart.

    Args:
        stem: Channels of the first convolution.
        layers: Layers, each of several blocks.
        last: Channels of the last convolution.
    """

    stem: int
    layers: tuple[Layer, ...]
    last: int


ARCHITECTURES = {
    'A0': Architecture(
        8,
        (
            (8, (24,), (K15,)),
            (32, (80, 80, 80), (K33, K33, K33)),
            (56, (184, 112, 184), (K53, K33, K33)),
            (56, (184, 184, 184, 184), (K53, K33, K33, K33)),
            (104, (384, 280, 280, 344), (K53, K15, K15, K15)),
        ),
        480,
    ),
    'A1': Architecture(
        16,
        (
            (16, (40, 40), (K15, K33)),
            (40, (96, 120, 96, 96), (K33, K33, K33, K33)),
            (64, (216, 128, 216, 168, 216), (K53, K33, K33, K33, K33)),
            (64, (216, 216, 216, 128, 128, 216), (K53, K33, K33, K33, K15, K33)),
            (136, (456, 360, 360, 360, 456, 456, 544), (K53, K15, K15, K15, K15, K33, K13)),
        ),
        600,
    ),
    'A2': Architecture(
        16,
        (
            (16, (40, 40, 64), (K15, K33, K33)),
            (40, (96, 120, 96, 96, 120), (K33, K33, K33, K33, K33)),
            (72, (240, 160, 240, 192, 240), (K53, K33, K33, K33, K33)),
            (72, (240, 240, 240, 240, 144, 240), (K53, K33, K33, K33, K15, K33)),
            (144, (480, 384, 384, 480, 480, 480, 576), (K53, K15, K15, K15, K15, K33, K13)),
        ),
        640,
    ),
}
