"""A feature: ``RepeatAugDataset`` takes a pipeline of one transform that decodes by itself.

MMAction2's data set of repeated augmentation, which MViT's recipes train with, looks for DecordInit at ``pipeline[0]``
and for DecordDecode at ``pipeline[2]``, and calls them itself to decode a video once for all repeats.

Here a pipeline of one transform that has ``repeat(results, times, sample_once) -> list of samples`` is asked for the
repeats of a video; every other pipeline goes the stock way.
"""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmkd_video.compat.mistakes import WrongValueError
from mmkd_video.compat.patching import after_import, wrap


def _take_one_transform(init: Callable) -> Callable:
    from mmaction.datasets.video_dataset import VideoDataset

    parameters = inspect.signature(init)

    def take(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = parameters.bind(self, *args, **kwargs)
        if len(bound.arguments['pipeline']) != 1:
            init(self, *args, **kwargs)
            return
        bound.apply_defaults()
        settings = {key: value for key, value in bound.arguments.items() if key not in ('self', 'kwargs')}
        self.num_repeats, self.sample_once = settings.pop('num_repeats'), settings.pop('sample_once')
        VideoDataset.__init__(self, **{**settings, **bound.arguments['kwargs'], 'test_mode': False})
        only = self.pipeline.transforms[0]
        if not hasattr(only, 'repeat'):
            raise WrongValueError(
                f'RepeatAugDataset.pipeline: got the one transform {type(only).__name__}; expected DecordInit, a '
                'sampler of frames, DecordDecode and what follows them, or DistillViews alone'
            )

    return take


def _ask_for_repeats(prepare_data: Callable) -> Callable:
    def prepare(self: Any, idx: int) -> Any:
        transforms = self.pipeline.transforms
        if len(transforms) != 1:
            return prepare_data(self, idx)
        return transforms[0].repeat(self.get_data_info(idx), self.num_repeats, self.sample_once)

    return prepare


def _mend(module: ModuleType) -> None:
    wrap(module.RepeatAugDataset, '__init__', _take_one_transform)
    wrap(module.RepeatAugDataset, 'prepare_data', _ask_for_repeats)


def applies() -> bool:
    """Return True: no MMAction2 of the supported range asks the pipeline."""
    return True


def apply() -> None:
    """Wrap the data set when MMAction2's data sets are imported."""
    after_import('mmaction.datasets.repeat_aug_dataset', _mend)
