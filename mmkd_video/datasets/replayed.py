"""A training set whose augmentations are met again: built alike each time, and told by its names and its pipeline."""

import hashlib
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from mmengine.registry import DATASETS

from mmkd_video.core.files.digest import sha256_of_settings
from mmkd_video.core.replay import BUILDING
from mmkd_video.core.restoring import random_state_restored, seed_everything
from mmkd_video.datasets.seeded import SeededDataset
from mmkd_video.recognizers.plain_student import without_views

HASH_DIGITS = 16


def build_replayed(loader: Mapping, seed: int) -> Any:
    """Build the data set of a loader; what its transforms draw when they are built follows from a seed.

    ``ColorJitter`` draws the order of its steps then.

    Args:
        loader: Settings of the loader.
        seed: Number that the draws follow from. The global generators are left as they were.
    """
    with random_state_restored():
        seed_everything(seed, BUILDING)
        dataset = DATASETS.build(loader['dataset'])
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
    return dataset


def hash_of_names(dataset: Any) -> str:
    """Return a hash of the names of a data set's different samples, in order; folders do not count.

    Args:
        dataset: The data set.
    """
    seeded, digest = SeededDataset(dataset, 0), hashlib.sha256()
    for index in range(seeded.num_distinct):
        digest.update(PurePath(seeded.name_of(index)).name.encode('utf-8', 'surrogateescape') + b'\0')
    return digest.hexdigest()[:HASH_DIGITS]


def hash_of_pipeline(loader: Mapping) -> str:
    """Return a hash of the student's training pipeline; views of teachers do not count.

    Args:
        loader: Settings of the training loader.
    """
    return sha256_of_settings(_pipelines(without_views(loader)['dataset']))[:HASH_DIGITS]


def _pipelines(value: Any) -> list:
    """Return all pipelines in settings, at any depth, in order."""
    if isinstance(value, Mapping):
        own = [value['pipeline']] if value.get('pipeline') is not None else []
        return own + [each for key, item in value.items() if key != 'pipeline' for each in _pipelines(item)]
    return [each for item in value for each in _pipelines(item)] if isinstance(value, list | tuple) else []
