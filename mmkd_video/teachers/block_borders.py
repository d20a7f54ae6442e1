"""The channels that a pruned block still has where it begins and ends."""

from dataclasses import dataclass

from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError


@dataclass(frozen=True)
class BlockBorder:
    """What a pruned block still has of a tensor that goes into it, or comes out of it.

    Attributes:
        dim: Dimension of its channels.
        kept: Indices of those that are left; None for all.
    """

    dim: int = 0
    kept: Tensor | None = None

    def take(self, feature: Tensor) -> Tensor:
        """Return the channels of the unpruned block's tensor that the pruned one has.

        Args:
            feature: Tensor of any shape, with the channels at ``dim``.
        """
        return feature if self.kept is None else feature.index_select(self.dim, self.kept.to(feature.device))


def border_between(where: str, whole: Tensor, left: Tensor | None, kept: Tensor | None) -> BlockBorder:
    """Return how a tensor of an unpruned model is cut to that of the pruned one.

    Args:
        where: Name of the place, for messages.
        whole: Tensor of the unpruned model.
        left: Tensor of the pruned model on the same clip; None where it has none.
        kept: Indices of the channels that pruning left; None where nothing was pruned.

    Raises:
        ValueError: They differ by more than these channels.
    """
    if left is not None and left.shape == whole.shape:
        return BlockBorder()
    sizes = [] if left is None or left.ndim != whole.ndim else list(zip(whole.shape, left.shape, strict=True))
    dims = [dim for dim, (before, after) in enumerate(sizes) if before != after]
    if len(dims) != 1 or kept is None or len(kept) != left.shape[dims[0]] or kept[-1] >= whole.shape[dims[0]]:
        got = 'nothing' if left is None else tuple(left.shape)
        raise WrongValueError(
            f'{where}: the student has {got} and the teacher {tuple(whole.shape)}; expected a student that is the '
            'teacher without some channels: give the config and checkpoint of the student before it was pruned, or '
            'name other modules with blocks=[...]'
        )
    return BlockBorder(dims[0], kept)
