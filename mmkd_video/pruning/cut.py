"""A set of channels that is removed from one side of one layer."""

from collections.abc import Iterable
from dataclasses import dataclass

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.plain_data import Many, Record, Text, Whole

SIDES = ('out', 'in', 'heads')
MAX_CHANNELS = 2**24
MOST_REMOVED = 2**22  # of all layers together
CUTS = Many(
    Record(
        dict(
            removed=Many(Whole(0, MAX_CHANNELS), most=MAX_CHANNELS),
            size=Whole(1, MAX_CHANNELS),
            at=Many(Text(500, rf'[^:]+:({"|".join(SIDES)})'), most=100_000),
        )
    ),
    most=100_000,
)
"""What :func:`cuts_to_data` writes."""


@dataclass(frozen=True)
class Cut:
    """Channels removed from one side of a layer.

    Attributes:
        layer: Dotted name of the layer inside the model.
        side: ``'out'`` or ``'in'``; a normalization or a depthwise convolution has one side, ``'out'``, and an
            attention has ``'heads'``.
        removed: Ascending indices of the removed channels, counted before the removal.
        size: Channels on that side before the removal.
    """

    layer: str
    side: str
    removed: tuple[int, ...]
    size: int

    def kept(self) -> list[int]:
        """Return the indices that stay, sorted."""
        removed = set(self.removed)
        return [index for index in range(self.size) if index not in removed]


def merge_cuts(cuts: Iterable[Cut]) -> list[Cut]:
    """Return one cut for each side of a layer, in the order of first appearance.

    Args:
        cuts: All counted on the same, not yet cut model.
    """
    merged: dict[tuple[str, str], tuple[set[int], int]] = {}
    for cut in cuts:
        removed, _ = merged.setdefault((cut.layer, cut.side), (set(), cut.size))
        removed.update(cut.removed)
    return [
        Cut(layer, side, tuple(sorted(removed)), size) for (layer, side), (removed, size) in merged.items() if removed
    ]


def cuts_to_data(cuts: Iterable[Cut]) -> list[dict]:
    """Write cuts as plain data; layers that lose the same channels share one list."""
    shared: dict[tuple, list[str]] = {}
    for cut in cuts:
        shared.setdefault((cut.removed, cut.size), []).append(f'{cut.layer}:{cut.side}')
    return [dict(removed=list(removed), size=size, at=names) for (removed, size), names in shared.items()]


def cuts_from_data(data: Iterable[dict]) -> list[Cut]:
    """Read what :func:`cuts_to_data` wrote.

    Nothing of the size that is named is made; whether a model has it is seen when the cuts are done.

    Args:
        data: Data of the form that :data:`CUTS` says.

    Raises:
        ValueError: It is not of that form, or contradicts itself.
    """
    CUTS.check(data, 'a pruning history holds a malformed cut: cuts')
    channels = sum(len(item['removed']) * len(item['at']) for item in data)
    if channels > MOST_REMOVED:
        raise WrongValueError(
            f'a pruning history removes {channels} channels in all; expected at most {MOST_REMOVED}, far more '
            'than any model has'
        )
    cuts = []
    for item in data:
        removed = tuple(sorted(set(item['removed'])))
        for name in item['at']:
            layer, side = name.rsplit(':', 1)
            cuts.append(Cut(layer, side, removed, item['size']))
    _expect_consistent(cuts)
    return cuts


def _expect_consistent(cuts: list[Cut]) -> None:
    sizes: dict[tuple[str, str], int] = {}
    for cut in cuts:
        if sizes.setdefault((cut.layer, cut.side), cut.size) != cut.size:
            raise WrongValueError(
                f'a pruning history says that {cut.layer!r} has {sizes[cut.layer, cut.side]} channels on side '
                f'{cut.side!r}, and that it has {cut.size}; expected one number'
            )
    for cut in merge_cuts(cuts):
        if cut.removed[-1] >= cut.size or len(cut.removed) == cut.size:
            raise WrongValueError(
                f'a pruning history removes channels {cut.removed[:5]} on side {cut.side!r} of {cut.layer!r}, which '
                f'has {cut.size}; expected some of them'
            )
