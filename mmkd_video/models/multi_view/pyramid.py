"""A feature pyramid over space and time."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd_video.core.checked import ListOf, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS


@MODELS.register_module()
@checked(in_channels=ListOf(Whole(1), least=1), channels=Whole(1))
class ViewPyramid(BaseModule):
    """Bring the maps of one backbone to equal channels and add each coarser one to the finer ones.

    A person who fills a tracked crop is a small part of the whole frame: what the deep layers of one view say stands in
    shallower layers of another, and here each level holds both.
    Source: Lin et al., Feature Pyramid Networks, https://arxiv.org/abs/1612.03144 . Two differences: convolutions of
    one position carry over to space and time, and none follows the addition, since levels are averaged to a grid next.

    Args:
        in_channels: Channels of the maps, from fine to coarse.
        channels: Channels C of all levels.
    """

    def __init__(self, in_channels: Sequence[int], channels: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv3d(each, channels, 1) for each in in_channels)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return one map ``(N, C, T, H, W)`` for each level, of its own size.

        Args:
            maps: Maps ``(N, C', T, H, W)`` from fine to coarse.

        Raises:
            ValueError: There are more or fewer maps, or other channels, than this pyramid was made for.
        """
        expected = [lateral.in_channels for lateral in self.laterals]
        if [each.shape[1] for each in maps] != expected:
            raise WrongValueError(
                f'ViewPyramid: got maps of {[each.shape[1] for each in maps]} channels; expected {expected}; set '
                'neck.views to the channels of the out_indices of the backbone'
            )
        levels = [lateral(each) for lateral, each in zip(self.laterals, maps, strict=True)]
        for place in range(len(levels) - 2, -1, -1):
            above = nn.functional.interpolate(levels[place + 1], size=levels[place].shape[2:], mode='nearest')
            levels[place] = levels[place] + above
        return levels
