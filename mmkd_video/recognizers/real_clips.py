"""Real clips of a config's data set, as its pipeline gives them to the model."""

from dataclasses import dataclass

import numpy as np
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.plain_student import plain_student


@dataclass(frozen=True)
class RealClips:
    """Clips before normalisation.

    Args:
        clips: Each ``(M, C, H, W)`` or ``(M, C, T, H, W)``.
        names: Files, or numbers where the data set has no files.
        labels: Class indices; -1 where a clip has not exactly one.
        pipeline: Pipeline that made them, as in the config.
    """

    clips: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    labels: tuple[int, ...]
    pipeline: tuple[dict, ...]


def real_clips(config: Config, count: int, loader: str = 'test_dataloader') -> RealClips:
    """Take clips from a data set, spread evenly over it.

    Args:
        config: Config of the student, or of its distillation.
        count: Number of clips; fewer where the data set has fewer.
        loader: Name of the loader whose data set and pipeline are used.

    Raises:
        ValueError: The config has no such loader, the data set is empty, or clips differ in shape.
        FileNotFoundError: Its files are not there.
    """
    if count < 1:
        raise WrongValueError(f'clips: got {count}, expected at least 1')
    settings = (plain_student(config).get(loader) or {}).get('dataset')
    if settings is None:
        raise WrongValueError(f'{config.filename or "the config"} has no {loader}.dataset to take clips from')
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(dict(settings))
    if not len(dataset):
        raise WrongValueError(f'{loader}: the data set {settings.get("ann_file")} is empty')
    indices = np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int))
    samples = [dataset[int(index)] for index in indices]
    clips = tuple(np.ascontiguousarray(sample['inputs'].numpy()) for sample in samples)
    if len({clip.shape for clip in clips}) > 1:
        raise WrongValueError(
            f'{loader}: the pipeline gives clips of different shapes, {clips[0].shape} and others; an exported file '
            'takes one: resize to one size, for instance with CenterCrop'
        )
    names = [_name(dataset, int(index)) for index in indices]
    labels = [getattr(sample['data_samples'], 'gt_label', np.empty(0)) for sample in samples]
    labels = tuple(int(label[0]) if len(label) == 1 else -1 for label in labels)
    return RealClips(clips, tuple(names), labels, tuple(dict(step) for step in settings.get('pipeline') or ()))


def _name(dataset: object, index: int) -> str:
    info = dataset.get_data_info(index) if hasattr(dataset, 'get_data_info') else {}
    return str(info.get('filename') or info.get('frame_dir') or f'clip {index}')
