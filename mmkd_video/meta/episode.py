"""Episodes of a batch: the support and the queries of each, with labels of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.structures import BaseDataElement

from mmkd_video.core.episodes import EPISODE_CLASSES
from mmkd_video.core.mistakes import WorkFailedError, WrongValueError
from mmkd_video.datasets import EpisodeBatchSampler, EpisodeShape


@dataclass(frozen=True)
class Episode:
    """One episode, as the loader gave its clips; no preprocessor has seen them.

    Attributes:
        support: Batch of the clips to learn from.
        query: Batch of the clips to be judged by.
        classes: The data set's label of each class; ``gt_label`` of the clips is a place in this list.
    """

    support: dict
    query: dict
    classes: tuple[int, ...]


def shape_of_episodes(loader: Any, key: str) -> EpisodeShape:
    """Return the shape of a loader's episodes.

    Args:
        loader: Data loader.
        key: Its key in a config, for the message.

    Raises:
        ValueError: Its batches are no episodes.
    """
    batches = getattr(loader, 'batch_sampler', None)
    if not getattr(batches, 'relabels', False):
        raise WrongValueError(
            f'{key}.batch_sampler: got {type(batches).__name__}; expected '
            f"dict(type='{EpisodeBatchSampler.__name__}', way=5, shot=1, queries=5)"
        )
    return batches.shape


def episodes_of(batch: Mapping, shape: EpisodeShape) -> list[Episode]:
    """Divide a batch into its episodes.

    The batch stays as it is; labels are written into copies of its samples. A video that was replaced by one of another
    class is left out.

    Args:
        batch: Batch of an :class:`EpisodeBatchSampler`.
        shape: Shape of its episodes.

    Raises:
        RuntimeError: No support clip or no query of a class could be read.
    """
    count = len(batch['data_samples'])
    return [_episode(batch, first, shape) for first in range(0, count, shape.clips)]


def _episode(batch: Mapping, first: int, shape: EpisodeShape) -> Episode:
    samples = batch['data_samples']
    support, size = shape.way * shape.shot, shape.clips
    places = [row // shape.shot for row in range(support)]
    places += [row // shape.queries for row in range(size - support)]
    rows = range(first, first + size)
    classes = tuple(_class_at(samples, rows, places, place) for place in range(shape.way))
    kept = [row for row in rows if _label(samples[row]) == classes[places[row - first]]]
    parts = [[row for row in kept if row - first < support], [row for row in kept if row - first >= support]]
    for part, name in zip(parts, ('support clip', 'query'), strict=True):
        missing = set(range(shape.way)) - {places[row - first] for row in part}
        if missing:
            raise WorkFailedError(
                f'an episode has no {name} of class {classes[min(missing)]}: its videos cannot be read; mend or remove '
                'them (tools/check_data.py finds all), or raise shot and queries'
            )
    return Episode(*(_part(batch, rows, [places[row - first] for row in rows], classes) for rows in parts), classes)


def _class_at(samples: Sequence, rows: Sequence[int], places: Sequence[int], place: int) -> int:
    """Return the class of a place in an episode: that of its clips that were not replaced by another video."""
    labels = [_label(samples[row]) for row, its in zip(rows, places, strict=True) if its == place]
    own = [
        _label(samples[row])
        for row, its in zip(rows, places, strict=True)
        if its == place and not samples[row].get('replaced_videos')
    ]
    return (own or labels)[0]


def _label(sample: BaseDataElement) -> int:
    return int(sample.gt_label)


def _part(batch: Mapping, rows: Sequence[int], places: Sequence[int], classes: Sequence[int]) -> dict:
    part = _rows_of(batch, rows)
    part['data_samples'] = [
        _relabelled(sample, place, classes) for sample, place in zip(part['data_samples'], places, strict=True)
    ]
    return part


def _relabelled(sample: BaseDataElement, place: int, classes: Sequence[int]) -> BaseDataElement:
    found = sample.new()
    found.set_gt_label(torch.tensor([place]))
    found.set_metainfo({EPISODE_CLASSES: tuple(classes)})
    return found


def _rows_of(value: Any, rows: Sequence[int]) -> Any:
    if isinstance(value, Mapping):
        return {key: _rows_of(each, rows) for key, each in value.items()}
    return [value[row] for row in rows]


def joined(support: Mapping, query: Mapping) -> dict:
    """Return a batch of the clips of two, those of the first one first.

    Args:
        support: Batch, as in an :class:`Episode`.
        query: Another.
    """
    return {key: _joined(support[key], query[key]) for key in support}


def some_of(batch: Mapping, rows: Sequence[int]) -> dict:
    """Return a batch of some clips of another.

    Args:
        batch: Batch, as in an :class:`Episode`.
        rows: Places of the clips.
    """
    return _rows_of(batch, rows)


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, Mapping):
        return {key: _joined(first[key], second[key]) for key in first}
    return [*first, *second]
