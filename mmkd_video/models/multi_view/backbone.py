"""The feature extractors of several views."""

import logging
from collections.abc import Mapping

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule, ModuleDict
from torch import Tensor, nn

from mmkd_video.core.checked import Number, Settings, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.input_form import first_channels
from mmkd_video.recognizers.view_names import resolve_shared

PATIENCE = 20  # training steps without a view before a warning


@MODELS.register_module()
@checked(
    views=Settings("a dict of 3D backbones by view, such as dict(rgb=dict(type='ResNet3d', ...))"),
    view_dropout=Number(0, 1, below=True),
)
class MultiViewBackbone(BaseModule):
    """One 3D backbone for each view of a sample; views may share one.

    In training, clips whose view is missing do not enter its backbone, so that statistics of batch norms are of real
    clips alone, and views that are there are dropped at random: no sample loses its last one. Dropping whole views
    keeps the network from leaning on one of them, and makes it answer when one is missing.
    Source of the dropping: Neverova et al., ModDrop, https://arxiv.org/abs/1501.00102 .

    Args:
        views: Config of the backbone of each view by its name, or the name of the view whose backbone it shares. A
            backbone returns maps ``(N, C, T, H, W)``, with several ``out_indices`` a tuple from fine to coarse.
        view_dropout: Probability of leaving out a view of a sample in a training step, from 0 to below 1.

    Raises:
        ValueError: There is no view, or one shares a backbone that does not exist.
    """

    def __init__(self, views: Mapping, view_dropout: float = 0.0) -> None:
        super().__init__()
        self.owners = resolve_shared('MultiViewBackbone.views', views)
        self.extractors = ModuleDict(
            {name: MODELS.build(views[name]) for name, owner in self.owners.items() if name == owner}
        )
        self.view_dropout = view_dropout
        self._unseen = dict.fromkeys(self.owners, 0)

    def view_shapes(self, size: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
        """Return the shape of one clip of each view, ``(1, 1, C, T, H, W)``.

        Args:
            size: ``(T, H, W)``.
        """
        return {name: (1, 1, first_channels(self.extractors[owner]) or 3, *size) for name, owner in self.owners.items()}

    def forward(self, clips: Mapping[str, Tensor], present: Tensor) -> tuple[dict[str, tuple[Tensor, ...]], Tensor]:
        """Return the maps of every view.

        Args:
            clips: Clips ``(N, C, T, H, W)`` by view; what a missing one holds does not matter.
            present: ``(N, V)``, in the order of their names: other than 0 where a view is there.

        Returns:
            By view, its maps ``(N, C, T, H, W)`` from fine to coarse, zero where it is missing; in training without
            the views that no clip of the batch has. And ``(N, V)``, true where a view is used.

        Raises:
            ValueError: The views are others than expected, or a clip has none.
        """
        self._check(clips, present)
        used = present != 0
        if not self.training:
            maps = {name: _as_tuple(self.extractors[owner](clips[name])) for name, owner in self.owners.items()}
            return maps, used
        used = self._drop(used)
        maps, rested = {}, []
        for (name, owner), rows in zip(self.owners.items(), used.unbind(1), strict=True):
            rows = rows.nonzero().flatten()
            self._note(name, len(rows))
            if not len(rows):
                rested.append(owner)
                continue
            whole = len(rows) == len(used)
            found = _as_tuple(self.extractors[owner](clips[name] if whole else clips[name][rows]))
            maps[name] = found if whole else tuple(_spread(each, rows, len(used)) for each in found)
        return _tied(maps, [self.extractors[owner] for owner in rested]), used

    def _drop(self, used: Tensor) -> Tensor:
        """Leave views out at random; a clip that would lose all keeps the one with the largest number drawn."""
        if self.view_dropout == 0 or used.shape[1] == 1:
            return used
        drawn = torch.rand(used.shape, device=used.device) * used
        last = torch.zeros_like(used).scatter_(1, drawn.argmax(dim=1, keepdim=True), True)
        return used & ((drawn >= self.view_dropout) | last)

    def _check(self, clips: Mapping[str, Tensor], present: Tensor) -> None:
        names = list(self.owners)
        if set(clips) != set(names) or present.shape[1] != len(names):
            raise WrongValueError(
                f'MultiViewBackbone: got the views {list(clips)} and a mask of {present.shape[1]}; expected {names}; '
                'name the same views in the pipeline and in the model'
            )
        if not bool((present != 0).any(dim=1).all()):
            raise WrongValueError('MultiViewBackbone: got a clip without any view; expected one view at least')

    def _note(self, name: str, rows: int) -> None:
        """Warn, once, of a view that no clip has had since the training began."""
        if rows or self._unseen[name] < 0:
            self._unseen[name] = -1
            return
        self._unseen[name] += 1
        if self._unseen[name] == PATIENCE:
            text = f'view {name!r} was missing in all of the first {PATIENCE} training steps; see where its files lie'
            print_log(text, 'current', logging.WARNING)


def _as_tuple(maps: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (maps,) if isinstance(maps, Tensor) else tuple(maps)


def _spread(maps: Tensor, rows: Tensor, count: int) -> Tensor:
    """Put maps of some clips into zeros for all."""
    return maps.new_zeros(count, *maps.shape[1:]).index_copy(0, rows, maps)


def _tied(maps: dict[str, tuple[Tensor, ...]], rested: list[nn.Module]) -> dict[str, tuple[Tensor, ...]]:
    """Add zero times the parameters that took no part: every parameter then has a gradient, as DDP expects."""
    idle = [parameter for module in rested for parameter in module.parameters() if parameter.requires_grad]
    if not idle:
        return maps
    first, (fine, *others) = next(iter(maps.items()))
    return {**maps, first: (fine + 0 * sum(parameter.sum() for parameter in idle), *others)}
