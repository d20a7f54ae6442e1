"""Clips of a config's data set, decoded when they are asked for."""

from collections.abc import Sequence

import numpy as np
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.plain_student import plain_student

KEEP_BYTES = 2**30  # what is decoded stays in memory up to this


class ClipSource(Sequence):
    """Clips before normalisation, spread evenly over a data set; they need not fit in memory.

    Args:
        dataset: Data set in test mode.
        count: Number of clips; fewer where the data set has fewer.
    """

    def __init__(self, dataset: Sequence, count: int) -> None:
        self.dataset = dataset
        self.indices = np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int))
        self._kept: dict[int, np.ndarray] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(position, slice):
            return [self[index] for index in range(*position.indices(len(self)))]
        if not 0 <= position < len(self):
            raise IndexError(position)
        if position in self._kept:
            return self._kept[position]
        sample = self.dataset[int(self.indices[position])]
        clip = np.ascontiguousarray(sample['inputs'].numpy())
        if self._bytes + clip.nbytes <= KEEP_BYTES:
            self._kept[position] = clip
            self._bytes += clip.nbytes
        return clip

    @property
    def labels(self) -> np.ndarray | None:
        """Class indices, ``(N,)``; None unless every clip has exactly one."""
        labels = [self.dataset.get_data_info(int(index)).get('label', -1) for index in self.indices]
        known = all(isinstance(label, (int, np.integer)) and label >= 0 for label in labels)
        return np.array(labels) if known else None


def unaugmented_clips(config: Config, count: int, loader: str) -> ClipSource:
    """Take clips of a training or validation set through the pipeline of the test, without augmentation.

    Args:
        config: Config of the student, or of its distillation.
        count: Number of clips.
        loader: ``'train_dataloader'`` or ``'val_dataloader'``; a data set inside others (repeated ones) is found.

    Raises:
        ValueError: The config has no such loader or no test pipeline, or the data set is empty.
        FileNotFoundError: Its files are not there.
    """
    if count < 1:
        raise WrongValueError(f'clips: got {count}, expected at least 1; the calibration set would be empty')
    plain = plain_student(config)
    name = config.filename or 'the config'
    settings = (plain.get(loader) or {}).get('dataset')
    pipeline = ((plain.get('test_dataloader') or {}).get('dataset') or {}).get('pipeline')
    if settings is None or not pipeline:
        raise WrongValueError(
            f'{name} has no {"test_dataloader.dataset.pipeline" if settings is not None else f"{loader}.dataset"}; '
            'calibration takes clips from training through the pipeline of the test'
        )
    while 'dataset' in settings:
        settings = settings['dataset']
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build({**settings, 'pipeline': pipeline, 'test_mode': True})
    if not len(dataset):
        raise WrongValueError(f'{loader}: the data set {settings.get("ann_file")} is empty')
    return ClipSource(dataset, count)
