"""Precision, recall, F1 and the confusion matrix beside accuracy."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmkd_video.core.checked import ListOf, OneOf, Whole, checked
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import METRICS
from mmkd_video.core.text_table import aligned

SHOWN = 20  # classes of a confusion matrix that still fits into a log


@METRICS.register_module()
@checked(topk=ListOf(Whole(1), least=1), collect_device=OneOf('cpu', 'gpu'))
class ClassificationReport(BaseMetric):
    """Precision, recall and F1 of each class, and the confusion matrix.

    Reports ``report/top1``, ``report/top5``, ``report/mean_class_accuracy`` (over classes that occur), and, averaged
    over classes that occur or are predicted, ``report/precision``, ``report/recall`` and ``report/f1``: fractions of
    0 to 1, those of scikit-learn's ``balanced_accuracy_score`` and ``precision_recall_fscore_support(average='macro',
    zero_division=0)``. A class that is never predicted has precision 0. Values of each class and the confusion matrix
    go to the log, and to ``out_file``.

    Samples with several labels have no confusion matrix; then nothing is reported.

    Args:
        classes: Names, in the order of the labels.
        topk: Numbers of guesses.
        out_file: JSON file to write.
        collect_device: Device on which the results of all ranks meet, ``'cpu'`` or ``'gpu'``.
        collect_dir: Folder they meet in, when on ``'cpu'``.
    """

    default_prefix = 'report'

    def __init__(
        self,
        classes: Sequence[str] | None = None,
        topk: Sequence[int] = (1, 5),
        out_file: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, collect_dir=collect_dir)
        self.classes = None if classes is None else list(classes)
        self.topk, self.out_file = tuple(topk), out_file

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the scores and labels of one batch.

        Args:
            data_batch: The batch; not used.
            data_samples: Dicts with ``pred_score``, ``(K,)``, or ``(clips, K)`` which is averaged; and ``gt_label``.
        """
        for sample in data_samples:
            score, label = sample['pred_score'], sample['gt_label']
            if isinstance(score, dict) or label.numel() != 1:  # several modalities; several labels
                self.results.append((np.empty(0), -1))
                continue
            score = score.detach().float().cpu().numpy()
            self.results.append((score if score.ndim == 1 else score.mean(axis=0), int(label)))

    def compute_metrics(self, results: list[tuple[np.ndarray, int]]) -> dict[str, float]:
        """Return the metrics.

        Args:
            results: Scores ``(K,)`` and label of each sample.

        Raises:
            ValueError: A label, or the number of names, does not fit the number of scores.
        """
        labels = np.array([label for _, label in results])
        if (labels < 0).any():
            print_log('no classification report: samples do not have exactly one label', logger='current')
            return {}
        scores = np.stack([row for row, _ in results])
        count = scores.shape[1]
        if labels.max() >= count:
            raise WrongValueError(
                f'report: the label {labels.max()} occurs, but the model scores {count} classes (0 to {count - 1}); '
                'correct the annotation file, or num_classes of the head'
            )
        if self.classes is not None and len(self.classes) != count:
            raise WrongValueError(f'report: got {len(self.classes)} class names, but the model scores {count} classes')
        matrix = np.zeros((count, count), int)
        np.add.at(matrix, (labels, scores.argmax(axis=1)), 1)
        per_class, averages = class_averages(matrix)
        ranking = np.argsort(-scores, axis=1, kind='stable')
        hits = {f'top{k}': float((ranking[:, :k] == labels[:, None]).any(axis=1).mean()) for k in self.topk}
        metrics = {**hits, **averages}
        self._log(metrics, per_class, matrix)
        return metrics

    def _log(self, metrics: dict[str, float], per_class: dict[str, np.ndarray], matrix: np.ndarray) -> None:
        names = self.classes or [str(index) for index in range(len(matrix))]
        if len(matrix) <= SHOWN:
            print_log('\n' + _table(names, per_class, matrix), logger='current')
        if self.out_file is None:
            return
        content = dict(
            metrics=metrics,
            classes=names,
            per_class={name: values.tolist() for name, values in per_class.items()},
            confusion_matrix=matrix.tolist(),
        )
        write_atomically(json.dumps(content, indent=1).encode(), self.out_file)


def class_averages(matrix: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return the metrics that follow from a confusion matrix.

    Args:
        matrix: ``(K, K)`` counts, true classes in rows, predicted ones in columns.

    Returns:
        ``precision``, ``recall``, ``f1`` and ``support``, ``(K,)`` each; and the averages.
    """
    hits, predicted, support = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    per_class = dict(
        precision=_ratio(hits, predicted),
        recall=_ratio(hits, support),
        f1=_ratio(2 * hits, predicted + support),
        support=support,
    )
    seen = (predicted + support) > 0
    averages = dict(mean_class_accuracy=float(per_class['recall'][support > 0].mean()))
    averages.update({name: float(per_class[name][seen].mean()) for name in ('precision', 'recall', 'f1')})
    return per_class, averages


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return part / np.maximum(whole, 1)  # 0 of 0 is 0


def _table(names: Sequence[str], per_class: dict[str, np.ndarray], matrix: np.ndarray) -> str:
    names = [f'{index} {name}' if name != str(index) else name for index, name in enumerate(names)]
    rows = [['class', *per_class, 'predicted as']]
    digits = max(3, len(str(matrix.max())))
    rows.append([*[''] * (1 + len(per_class)), _counts(range(len(names)), digits)])
    for index, name in enumerate(names):
        *shares, support = (values[index] for values in per_class.values())
        rows.append([name, *(f'{share:.4f}' for share in shares), str(support), _counts(matrix[index], digits)])
    return '\n'.join(aligned(rows, rule=False))


def _counts(numbers: Iterable[int], digits: int) -> str:
    return ' '.join(f'{number:>{digits}}' for number in numbers)
