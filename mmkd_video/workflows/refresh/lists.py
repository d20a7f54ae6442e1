"""Lists of clips: those that the old student knows, and the new ones."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.digest import sha256_of_settings
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import DATASETS
from mmkd_video.evaluation.teacher_predictions import describe
from mmkd_video.recognizers.pipelines import innermost_dataset, keys_to_dataset

Clip = tuple[str, int]
"""Path and label of a clip."""
OF_VIDEOS = ('VideoDataset', 'ClassVideoDataset')
KEPT = ('pipeline', 'test_mode', 'metainfo', 'start_index', 'modality', 'num_classes', 'max_refetch', 'lazy_init')


def clips_of(config: Config, split: str, classes: int) -> list[Clip]:
    """Return the labelled clips that a loader of a config reads, each once.

    Args:
        config: Whole config.
        split: ``'train'``, ``'val'`` or ``'test'``.
        classes: Number of classes that its model has.

    Raises:
        FileNotFoundError: A list does not exist.
        ValueError: There is no such loader, no clip has a label, or a label is no class.
    """
    where = f'{split}_dataloader of {config.filename or "the config"}'
    loader = config.get(f'{split}_dataloader')
    if loader is None:
        raise WrongValueError(f'{where}: got none; expected one with a list of labelled clips')
    names, labels = describe(DATASETS.build(_without_pipelines(loader['dataset'])))
    found = {str(name): int(label) for name, label in zip(names, labels, strict=True) if label >= 0}
    if not found:
        raise WrongValueError(f'{where}: got no clip with a label; expected a list of `path label`')
    wrong = next((name for name, label in found.items() if label >= classes), None)
    if wrong is not None:
        raise WrongValueError(
            f'{where}: got the label {found[wrong]} of {wrong}; expected 0 to {classes - 1}, as '
            f'num_classes is {classes}'
        )
    return list(found.items())


def expect_videos(config: Config) -> None:
    """Check that all loaders of a config read lists of labelled videos.

    Args:
        config: Config of the refresh.

    Raises:
        ValueError: One reads something else.
    """
    for split in ('train', 'val', 'test'):
        kind = innermost_dataset(config.get(f'{split}_dataloader')).get('type', OF_VIDEOS[0])
        if kind not in OF_VIDEOS:
            raise WrongValueError(
                f'{split}_dataloader.dataset.type: got {kind!r}; expected {" or ".join(OF_VIDEOS)}, a list of labelled '
                'videos, which old ones can be added to'
            )


def write_list(clips: Sequence[Clip], folder: Path, name: str) -> Path:
    """Write an annotation file under a name that says what is in it, so that one with other clips has another name.

    Args:
        clips: The clips.
        folder: Folder of lists.
        name: Beginning of the file's name.

    Returns:
        Path of the file.
    """
    path = folder / f'{name}_{sha256_of_settings(list(clips))[:8]}.txt'
    write_clips(clips, path)
    return path


def write_clips(clips: Sequence[Clip], path: Path) -> None:
    """Write an annotation file, one ``path label`` a line.

    Args:
        clips: The clips.
        path: The file.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter=' ', lineterminator='\n')
    for name, label in clips:
        writer.writerow([name, label])
    write_atomically(text.getvalue().encode(), path)


def reading(loader: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return a loader that reads another list, with the pipeline and the settings that it has.

    Args:
        loader: Config of a loader; it is not changed.
        path: The list, from :func:`write_list`.
    """
    keys, dataset = keys_to_dataset(loader)
    if 'datasets' in keys:  # of several lists, which this one holds all
        keys = keys[: keys.index('datasets')]
    kept = {key: dataset[key] for key in KEPT if key in dataset}
    return _replaced(
        loader, keys, dict(type=OF_VIDEOS[0], ann_file=str(path.absolute()), data_prefix=dict(video=''), **kept)
    )


def _replaced(settings: Mapping, keys: Sequence[str | int], value: Any) -> dict:
    first, *rest = keys
    return {**settings, first: _replaced(settings[first], rest, value) if rest else value}


def _without_pipelines(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: [] if key == 'pipeline' else _without_pipelines(item) for key, item in value.items()}
    return [_without_pipelines(item) for item in value] if isinstance(value, list | tuple) else value
