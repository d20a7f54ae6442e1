"""The several views of one sample: of its own frames, of what is derived from them, and of other cameras."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import to_tensor
from torch import Tensor

from mmkd_video.core.checked import ListOf, OneOf, Optional, Settings, Text, Whole, table_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.recognizers.view_names import PRESENT, check_view_names
from mmkd_video.views.derived import DerivedModality, derive
from mmkd_video.views.other_camera import OtherCamera
from mmkd_video.views.transform_replay import ViewFrames

VIEW = table_of(
    'MultiView.views',
    dict(
        derive=ListOf(Settings("a transform such as dict(type='RGBToFlow')", needs=('type',))),
        replace=Optional(ListOf(Text('a part of a path'), length=2, example='(a part of the path, its replacement)')),
        align=OneOf('start', 'end'),
        shift=Whole(-1_000_000, 1_000_000),
        size=Optional(ListOf(Whole(1), length=2, example='(width, height)'), "that of the clip's own frames"),
    ),
)


class SampleViews:
    """Make the views of a sample from its frames, which have their final crop, size and flip.

    Args:
        views: Settings by name of the view; see ``MultiView``.
        opening: Transform that opens a video, for views that are read from files of their own; None where there is
            none.
        decode: Transform that decodes it.

    Raises:
        KeyError: A view has an unknown key.
        ValueError: A setting is wrong, or no view is of the clip itself.
    """

    def __init__(
        self,
        views: Mapping[str, Mapping],
        opening: Callable[[dict], dict] | None,
        decode: Callable[[dict], dict] | None,
    ) -> None:
        check_view_names('MultiView.views', list(views))
        self.names = sorted(views)  # as the model's: configs may be written with their keys in another order
        self.derived: dict[str, list] = {}
        self.sizes: dict[str, tuple[int, int] | None] = {}
        self.cameras: dict[str, OtherCamera] = {}
        for name, settings in views.items():
            where = f'MultiView.views.{name}'
            Settings().check(where, settings)
            VIEW.check(where, settings)
            self.derived[name] = [_derivation(where, step) for step in settings.get('derive', ())]
            size = settings.get('size')
            self.sizes[name] = None if size is None else tuple(size)
            if settings.get('replace') is None:
                _expect_without(where, settings)
                continue
            if opening is None or decode is None:
                raise WrongValueError(
                    f'{where}.replace: got a pipeline that does not begin with opening a video; expected DecordInit '
                    'or alike as its first step, to open the other video with'
                )
            found = settings['replace']
            align, shift = settings.get('align', 'start'), settings.get('shift', 0)
            self.cameras[name] = OtherCamera(name, (str(found[0]), str(found[1])), align, shift, opening, decode)
        if len(self.cameras) == len(self.names):
            raise WrongValueError(
                'MultiView.views: got views of other files alone, all of which may be missing; expected one without '
                '`replace`, of the clip itself'
            )

    def read(self, results: Mapping, frames: np.ndarray) -> dict[str, ViewFrames]:
        """Return what other cameras saw, by view; views whose file is missing are left out.

        Args:
            results: Sample, opened: it has ``filename`` and ``total_frames``.
            frames: Frames of the clip, counted from 0.
        """
        if not self.cameras:
            return {}
        if 'filename' not in results:
            raise WrongValueError(
                f'MultiView.views.{next(iter(self.cameras))}.replace: got a sample without a file of its own, with '
                f'{", ".join(sorted(results))}; expected a data set of videos, such as VideoDataset'
            )
        total = results['total_frames']
        found = {name: each.read(results['filename'], frames, total) for name, each in self.cameras.items()}
        return {name: each for name, each in found.items() if each is not None}

    def pack(
        self,
        frames: Sequence[np.ndarray],
        others: Mapping[str, ViewFrames],
        shape: Callable[[dict], dict],
        clip_len: int,
        num_clips: int,
    ) -> dict[str, Tensor]:
        """Return the views as tensors, and under ``'present'`` which of them are there.

        Args:
            frames: The clip's own frames as they are seen at last, ``(H, W, 3)`` each.
            others: Frames of other cameras by view, with the geometry that they wait for.
            shape: ``FormatShape``.
            clip_len: Frames of one clip.
            num_clips: Clips M of the sample.

        Returns:
            By view, uint8 ``(M, C, T, H, W)``; zeros for one that is missing. ``'present'`` is ``(V,)`` of 0 and 1.
        """
        packed: dict[str, Tensor] = {}
        there = []
        for name in self.names:
            mine = self._frames(name, frames, others)
            there.append(float(mine is not None))
            mine = self._blank(name, frames) if mine is None else derive(self.derived[name], mine, clip_len)
            shaped = shape(dict(imgs=mine, clip_len=clip_len, num_clips=num_clips))
            packed[name] = to_tensor(shaped['imgs'])
        return {**packed, PRESENT: torch.tensor(there)}

    def _frames(
        self, name: str, frames: Sequence[np.ndarray], others: Mapping[str, ViewFrames]
    ) -> list[np.ndarray] | None:
        if name not in self.cameras:
            return list(frames)
        if name not in others:
            return None
        return others[name].geometry.apply(others[name].frames, self._size(name, frames), 'bilinear')

    def _size(self, name: str, frames: Sequence[np.ndarray]) -> tuple[int, int]:
        height, width = frames[0].shape[:2]
        return self.sizes[name] or (width, height)

    def _blank(self, name: str, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        width, height = self._size(name, frames)
        channels = self.derived[name][-1].channels if self.derived[name] else 3
        return [np.zeros((height, width, channels), np.uint8) for _ in frames]


def _derivation(where: str, step: Mapping) -> Any:
    built = TRANSFORMS.build(dict(step))
    if not isinstance(built, DerivedModality):
        raise WrongValueError(
            f'{where}.derive: got {step["type"]!r}; expected a transform that derives a modality from frames, such as '
            'RGBToFlow'
        )
    return built


def _expect_without(where: str, settings: Mapping) -> None:
    """Refuse what says something of another file alone."""
    for key in ('align', 'shift', 'size'):
        if key in settings:
            raise WrongValueError(
                f'{where}.{key}: got {settings[key]!r} for a view of the clip itself; expected it beside `replace` '
                'alone; take it out'
            )
