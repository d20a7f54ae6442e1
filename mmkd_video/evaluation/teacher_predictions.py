"""A teacher's probabilities on a validation set, computed once and kept in one file."""

import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.dist import all_gather_object, get_dist_info
from mmengine.logging import print_log
from torch.utils.data import DataLoader, Subset

from mmkd_video.core.files.arrays import read_arrays
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.digest import sha256_of_settings
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.restoring import random_state_restored
from mmkd_video.datasets import PipelineWithNamedErrors


@dataclass(frozen=True)
class TeacherPredictions:
    """A teacher's probabilities for each sample of a validation set.

    Args:
        probabilities: ``(N, K)`` float32, on the student's classes.
        labels: ``(N,)`` int64 class indices, -1 where a sample has no single label.
        samples: ``(N,)`` names of the samples.
        pipeline: Hash of the pipeline they were made with.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    samples: np.ndarray
    pipeline: str

    def save(self, path: Path) -> None:
        """Write them, atomically.

        Args:
            path: An ``.npz`` file; holds no pickled objects.
        """
        content = io.BytesIO()
        np.savez(content, **vars(self))
        write_atomically(content.getvalue(), path)

    @classmethod
    def read(cls, path: Path, samples: np.ndarray, pipeline: str) -> 'TeacherPredictions | None':
        """Read them if they are of the same samples and the same pipeline.

        Args:
            path: File that :meth:`save` wrote; nothing in it is executed.
            samples: ``(N,)`` names that are expected.
            pipeline: Hash that is expected.

        Returns:
            The predictions; None where they must be computed again, with a log line unless there is no file.
        """
        if not path.exists():
            return None
        try:
            held = read_arrays(path)
            found = cls(held['probabilities'], held['labels'], held['samples'], str(held['pipeline']))
        except Exception as error:  # numpy and zipfile raise many types on a damaged file
            print_log(f'{path} cannot be read ({error}); it is made anew.', 'current', logging.WARNING)
            return None
        if found.pipeline != pipeline or not np.array_equal(found.samples, samples):
            print_log(f'{path} is of other samples or another pipeline; it is made anew.', 'current')
            return None
        return found


def hash_of(pipeline: list[dict]) -> str:
    """Return a hash of a pipeline's settings, 16 hexadecimal digits."""
    return sha256_of_settings(pipeline)[:16]


def with_pipeline(dataset: Any, pipeline: list[dict]) -> Any:
    """Return the same samples seen through another pipeline; the given dataset stays as it is.

    Args:
        dataset: A dataset with a ``pipeline``, or a wrapper of some.
        pipeline: Transforms.

    Raises:
        ValueError: It has no pipeline that could be exchanged.
    """
    # copy.copy would look up __setstate__ through the __getattr__ of MMEngine's wrappers, endlessly.
    twin = object.__new__(type(dataset))
    twin.__dict__.update(dataset.__dict__)
    if 'pipeline' in twin.__dict__:
        twin.pipeline = PipelineWithNamedErrors(Compose(pipeline))
    elif 'datasets' in twin.__dict__:
        twin.datasets = [with_pipeline(each, pipeline) for each in twin.datasets]
    else:
        inner = next((key for key in ('dataset', '_dataset') if key in twin.__dict__), None)
        if inner is None:
            raise WrongValueError(f'{type(dataset).__name__} has no pipeline')
        setattr(twin, inner, with_pipeline(getattr(twin, inner), pipeline))
    return twin


def describe(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the names ``(N,)`` and labels ``(N,)`` of a dataset's samples; -1 for no single label."""
    names, labels = [], []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index) if hasattr(dataset, 'get_data_info') else {}
        names.append(str(info.get('filename') or info.get('frame_dir') or index))
        label = np.asarray(info.get('label', -1))
        labels.append(int(label) if label.size == 1 else -1)
    return np.array(names), np.array(labels, dtype=np.int64)


def predict(teacher: Any, name: str, dataset: Any, batch_size: int, num_workers: int) -> np.ndarray:
    """Run a teacher over a dataset, each rank over its share.

    Args:
        teacher: Teacher with ``predict(batch)``, ``(B, K)`` probabilities.
        name: Name of the teacher in progress lines.
        dataset: Samples of the teacher's own pipeline.
        batch_size: Samples at once on each rank.
        num_workers: Processes that load them.

    Returns:
        ``(N, K)`` float32, in the order of the dataset, on every rank.
    """
    rank, world_size = get_dist_info()
    share = range(rank, len(dataset), world_size)
    loader = DataLoader(Subset(dataset, share), batch_size, num_workers=num_workers, collate_fn=pseudo_collate)
    rows: list[np.ndarray] = []
    with random_state_restored(), torch.no_grad():
        for index, batch in enumerate(loader):
            rows.extend(teacher.predict(batch).float().cpu().numpy())
            if index * 10 // len(loader) != (index + 1) * 10 // len(loader):
                done = min(len(dataset), len(rows) * world_size)
                print_log(f'{name} predicts the validation set: {done} of {len(dataset)} samples', 'current')
    # The shares are interleaved, so sample i is row i // world_size of rank i % world_size.
    shares = all_gather_object(rows)
    return np.stack([shares[i % world_size][i // world_size] for i in range(len(dataset))]).astype(np.float32)
