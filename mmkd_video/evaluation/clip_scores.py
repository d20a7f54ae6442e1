"""A model's scores of each clip of a set, in a file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmkd_video.core.files.arrays import read_arrays
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.evaluation.agreement import as_probabilities


class ClipScores(BaseMetric):
    """Keep the probabilities and the label of every clip; reports nothing.

    Clips with several labels have the label -1. Models of several modalities, which score each of them, leave no file.

    Args:
        path: The ``.npz`` file to write.
        dataset: Dataset of the test, for the names of the clips.
    """

    default_prefix = 'clips'

    def __init__(self, path: str | Path, dataset: Any) -> None:
        super().__init__(collect_device='cpu')
        self.path, self._dataset = Path(path), dataset

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep one batch.

        Args:
            data_batch: The batch; not used.
            data_samples: Dicts with ``pred_score``, ``(K,)`` or ``(clips, K)``, and ``gt_label``.
        """
        for sample in data_samples:
            score, label = sample['pred_score'], sample.get('gt_label')
            if isinstance(score, dict):
                continue
            row = as_probabilities(score.detach().float().cpu().numpy())
            self.results.append((row, int(label) if label is not None and label.numel() == 1 else -1))

    def compute_metrics(self, results: list[tuple[np.ndarray, int]]) -> dict[str, float]:
        """Write the file.

        Args:
            results: Probabilities and label of each clip.
        """
        names = [_name(self._dataset, index) for index in range(len(results))]
        probabilities = np.array([row for row, _ in results], dtype=np.float32)
        content = io.BytesIO()
        np.savez(content, probabilities=probabilities, labels=np.array([label for _, label in results]), names=names)
        write_atomically(content.getvalue(), self.path)
        return {}

    def evaluate(self, size: int) -> dict[str, float]:
        """Write the file if there is something to write.

        Args:
            size: Clips in the set.
        """
        return super().evaluate(size) if self.results else {}


@dataclass(frozen=True)
class ScoredClips:
    """The content of a file of :class:`ClipScores`.

    Args:
        probabilities: ``(N, K)``.
        labels: ``(N,)``, -1 where a clip has no single label.
        names: ``(N,)`` paths of the clips.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    names: np.ndarray

    @classmethod
    def read(cls, path: str | Path) -> 'ScoredClips | None':
        """Read the file; None where there is none that can be read. Nothing in it is executed."""
        try:
            found = read_arrays(path)
            return cls(found['probabilities'], found['labels'], found['names'])
        except Exception:  # numpy and zipfile raise many types on a damaged file
            return None

    @property
    def correct(self) -> np.ndarray:
        """Whether the most probable class is the label, ``(N,)``."""
        return self.probabilities.argmax(axis=1) == self.labels

    @property
    def chance(self) -> float:
        """Accuracy of always answering the most frequent label, 0 to 1."""
        return float(np.bincount(self.labels[self.labels >= 0], minlength=1).max() / max(len(self.labels), 1))

    def agreement(self, other: 'ScoredClips', classes: Sequence[int] | None = None) -> float | None:
        """Return the fraction of clips on which both find the same class most probable.

        Args:
            other: Scores of the same clips, the teacher's.
            classes: Indices of its outputs that are the student's classes, in the student's order; all by default.

        Returns:
            None where they are not of the same clips or classes.
        """
        theirs = other.probabilities if classes is None else other.probabilities[:, list(classes)]
        if theirs.shape != self.probabilities.shape or not np.array_equal(self.names, other.names):
            return None
        return float((self.probabilities.argmax(axis=1) == theirs.argmax(axis=1)).mean())


def _name(dataset: Any, index: int) -> str:
    info = dataset.get_data_info(index) if hasattr(dataset, 'get_data_info') else {}
    return str(info.get('filename') or info.get('frame_dir') or index)
