"""How well the segments of a video are found."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmkd_video.core.checked import ListOf, Number, OneOf, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import METRICS
from mmkd_video.functional import edit_score, segment_hits, segments


@METRICS.register_module()
@checked(overlaps=ListOf(Number(0, 1), least=1), background=ListOf(Whole(0)), collect_device=OneOf('cpu', 'gpu'))
class SegmentationMetric(BaseMetric):
    """Accuracy of frames, edit score and F1 of segments, as in MS-TCN (https://arxiv.org/abs/1903.01945).

    Reports, each from 0 to 1,

    * ``segmentation/accuracy``: the share of right frames, all videos together;
    * ``segmentation/edit``: one less the edit distance of the order of segments, averaged over videos;
    * ``segmentation/f1@10``, ``f1@25``, ``f1@50``: F1 of segments over all videos; one is found where it overlaps one
      of its class by this percentage of their union.

    All are of the frames that the test pipeline samples, so let it sample the whole video. Frames without a label (-1)
    count nowhere.

    Args:
        overlaps: Least intersections over union, 0 to 1.
        background: Classes of frames that belong to no segment.
        collect_device: Device on which the results of all ranks meet, ``'cpu'`` or ``'gpu'``.
        collect_dir: Folder they meet in, when on ``'cpu'``.
    """

    default_prefix = 'segmentation'

    def __init__(
        self,
        overlaps: Sequence[float] = (0.1, 0.25, 0.5),
        background: Sequence[int] = (),
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, collect_dir=collect_dir)
        self.overlaps, self.background = tuple(overlaps), tuple(background)

    def process(self, data_batch: Any, data_samples: Sequence[Mapping]) -> None:
        """Keep the classes of the frames of one batch.

        Args:
            data_batch: The batch; not used.
            data_samples: Dicts with ``pred_score``, ``(T, K)``, and ``gt_label``, ``(T,)``.

        Raises:
            ValueError: A prediction is not of every frame.
        """
        for sample in data_samples:
            scores, labels = sample['pred_score'], sample['gt_label'].detach().cpu().numpy()
            if scores.ndim != 2 or len(scores) != len(labels):
                raise WrongValueError(
                    f'SegmentationMetric: got scores {tuple(scores.shape)} and {len(labels)} labels; expected (T, K) '
                    "and T: take cls_head=dict(type='FrameHead', ...) and LoadFrameLabels"
                )
            known = labels >= 0
            self.results.append((scores.detach().cpu().numpy().argmax(axis=1)[known], labels[known]))

    def compute_metrics(self, results: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
        """Return the metrics.

        Args:
            results: Classes of the frames of each video, found and true.
        """
        found, true = (np.concatenate(each) for each in zip(*results, strict=True))
        left_out = (-1, *self.background)
        pairs = [tuple(segments(each.tolist(), left_out) for each in pair) for pair in results]
        metrics = {
            'accuracy': float((found == true).mean()) if len(true) else 0.0,
            'edit': float(np.mean([edit_score(*pair) for pair in pairs])),
        }
        for overlap in self.overlaps:
            hits, wrong, missed = np.sum([segment_hits(*pair, overlap) for pair in pairs], axis=0)
            metrics[f'f1@{100 * overlap:g}'] = float(2 * hits / max(2 * hits + wrong + missed, 1))
        return metrics
