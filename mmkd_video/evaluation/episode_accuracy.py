"""Accuracy over episodes, with its interval."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmkd_video.core.checked import OneOf, checked
from mmkd_video.core.registry import METRICS

_Z = 1.959963984540054  # of 95 % of a normal distribution, both sides


@METRICS.register_module()
@checked(collect_device=OneOf('cpu', 'gpu'))
class EpisodeAccuracy(BaseMetric):
    """Mean accuracy on the queries of episodes, and half the width of its 95 % interval.

    Reports

    * ``episode/top1``: mean over episodes of the share of right queries, 0 to 1;
    * ``episode/ci95``: 1.96 standard errors of that mean, from the spread between episodes; nan of a single episode.

    The interval is that of few-shot papers: it is about other episodes of the same clips, not about other clips or
    other seeds of the training.

    Args:
        collect_device: Device on which the results of all ranks meet, ``'cpu'`` or ``'gpu'``.
        collect_dir: Folder they meet in, when on ``'cpu'``.
    """

    default_prefix = 'episode'

    def __init__(self, collect_device: str = 'cpu', collect_dir: str | None = None) -> None:
        super().__init__(collect_device=collect_device, collect_dir=collect_dir)

    def process(self, data_batch: Any, data_samples: Sequence[Mapping]) -> None:
        """Keep the accuracy of one episode.

        Args:
            data_batch: The queries as they were loaded; ignored.
            data_samples: Its queries, with ``pred_score``, ``(way,)``, and ``gt_label``, a place among its classes.
        """
        right = [int(sample['pred_score'].argmax()) == int(sample['gt_label']) for sample in data_samples]
        self.results.append(float(np.mean(right)))

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        """Return the mean and its interval.

        Args:
            results: Accuracy of each episode.
        """
        error = np.std(results, ddof=1) / np.sqrt(len(results)) if len(results) > 1 else float('nan')
        return {'top1': float(np.mean(results)), 'ci95': float(_Z * error)}
