"""One set of channels that leaves one side of one layer."""

from collections.abc import Iterable
from dataclasses import dataclass

SIDES = ('out', 'in', 'heads')


@dataclass(frozen=True)
class Cut:
    """Channels removed from one side of a layer.

    Attributes:
        layer: Dotted name of the layer inside the model.
        side: ``'out'`` or ``'in'``; a normalization or a depthwise convolution has one side, ``'out'``, and an
            attention has ``'heads'``.
        removed: Sorted indices of the removed channels, counted before the removal.
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

    Raises:
        ValueError: It is not of that form.
    """
    cuts = []
    try:
        for item in data:
            for name in item['at']:
                layer, side = name.rsplit(':', 1)
                cuts.append(Cut(layer, side, tuple(map(int, item['removed'])), int(item['size'])))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f'a pruning history holds a malformed cut ({type(error).__name__}: {error})') from None
    wrong = [cut for cut in cuts if cut.side not in SIDES or not set(cut.removed) < set(range(cut.size))]
    if wrong:
        raise ValueError(
            f'a pruning history removes channels {wrong[0].removed[:5]} on side {wrong[0].side!r} of '
            f'{wrong[0].layer!r}, which has {wrong[0].size}; expected some of them, on side out, in or heads'
        )
    return cuts
