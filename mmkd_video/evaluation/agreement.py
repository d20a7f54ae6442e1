"""How faithfully the student reproduces its teacher."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmaction.evaluation import mean_average_precision
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmkd_video.core.checked import OneOf, Optional, Text, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import METRICS

_TINY = float(np.finfo(np.float32).tiny)


@METRICS.register_module()
@checked(teacher=Optional(Text('the name of a teacher'), 'the only one'), collect_device=OneOf('cpu', 'gpu'))
class AgreementMetric(BaseMetric):
    """Fidelity of the student to its teacher on the validation set, beside the teacher's own accuracy.

    Reports

    * ``agreement/top1``: fraction of samples whose most probable class is the teacher's, 0 to 1;
    * ``agreement/kl``: mean KL divergence of the student's distribution from the teacher's, in nats, >= 0;
    * ``teacher/top1``: the teacher's accuracy on the same samples, 0 to 1, where each has one label;
    * ``teacher/mean_average_precision``: MMAction2's metric of that name, 0 to 1, where samples have labels of several
      classes.

    Where models score each class by itself, as for several labels, the divergence is the sum of those of all classes,
    each there or not.

    A student can be accurate without being faithful, and the other way round; see Stanton et al., Does Knowledge
    Distillation Really Work?, https://arxiv.org/abs/2106.05945, whose average agreement and predictive KL these are.

    A teacher that knows the student's first classes alone (``FirstClassesConnector``) is compared on these: the
    student's distribution is that among them, and ``teacher/top1`` is over the clips of them.

    ``TeacherPredictionsHook`` gives it the teacher's predictions; without them, as in a plain test, it reports nothing.

    Args:
        teacher: Name to tell several teachers apart; the keys become ``agreement/<name>/top1`` and so on.
        collect_device: Device on which the results of all ranks meet, ``'cpu'`` or ``'gpu'``.
        collect_dir: Folder they meet in, when on ``'cpu'``.
    """

    default_prefix = ''  # the keys have two different prefixes, so they are written out

    def __init__(self, teacher: str | None = None, collect_device: str = 'cpu', collect_dir: str | None = None) -> None:
        super().__init__(collect_device=collect_device, collect_dir=collect_dir)
        self.teacher = teacher
        self._probabilities: np.ndarray | None = None
        self._labels: np.ndarray | None = None
        self._several = self._first = False

    def set_predictions(
        self, probabilities: np.ndarray, labels: np.ndarray, several: bool = False, first: bool = False
    ) -> None:
        """Take the teacher's predictions.

        Args:
            probabilities: ``(N, K)``, a row for each sample of the validation set in its order, on the student's
                classes.
            labels: ``(N,)`` class indices, -1 where a sample has no single label; guards the order of the samples.
            several: Whether both models score each class by itself, so that rows do not sum to 1.
            first: Whether the teacher's classes may be the first ones of more that the student has.

        Raises:
            ValueError: The shapes do not fit.
        """
        if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
            raise WrongValueError(
                f'predictions of the teacher: got probabilities {probabilities.shape} and labels {labels.shape}; '
                'expected (N, K) and (N,)'
            )
        # float32 rows sum to 1 within rounding only, which would show as a divergence below 0
        exact = probabilities.astype(np.float64)
        self._probabilities, self._labels = exact if several else exact / exact.sum(1, keepdims=True), labels
        self._several, self._first = several, first

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the student's scores of one batch.

        Args:
            data_batch: The batch; not used.
            data_samples: Dicts with ``pred_score``, ``(K,)``, or ``(clips, K)`` where the student does not average its
                clips; probabilities, or scores that are turned into such, of several labels always scores; and
                ``gt_label``.

        Raises:
            ValueError: The student scores another number of classes than the teacher.
        """
        if self._probabilities is None:
            return
        for sample in data_samples:
            scores = sample['pred_score'].detach().float()
            student = own_probabilities(scores) if self._several else as_probabilities(scores.cpu().numpy())
            classes = self._probabilities.shape[1]
            if self._first and len(student) > classes:
                student = student[:classes]
                student = student if self._several else student / max(student.sum(), _TINY)
            if len(student) != classes:
                raise WrongValueError(
                    f'agreement: the student scores {len(student)} classes, the teacher {classes}; '
                    "name the student's classes among the teacher's with teacher=dict(classes=[...])"
                )
            label = sample.get('gt_label')
            truth = np.array([-1]) if label is None else label.detach().cpu().numpy().reshape(-1)
            self.results.append((student, truth))

    def evaluate(self, size: int) -> dict[str, float]:
        """Compare the whole validation set; every rank gets the same numbers.

        Args:
            size: Samples in the validation set.

        Raises:
            ValueError: The teacher's predictions are of another number of samples, or of samples in another order.
        """
        if self._probabilities is None:
            return {}
        if len(self._probabilities) != size:  # told before ranks meet, so that none is left waiting
            raise WrongValueError(
                f'agreement: got predictions of the teacher for {len(self._probabilities)} samples, expected {size}; '
                'delete teacher_predictions_*.npz in the work_dir, so that they are made again'
            )
        return super().evaluate(size)

    def compute_metrics(self, results: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
        """Return the metrics.

        Args:
            results: Student's probabilities and labels of each sample, in the order of the validation set: a class
                index ``(1,)``, -1 for none, or one value for each class ``(K,)``.
        """
        student = np.stack([row for row, _ in results])
        truth = [label for _, label in results]
        labels = np.array([int(label[0]) if len(label) == 1 else -1 for label in truth])
        teacher = self._probabilities
        if labels.shape != self._labels.shape or (labels != self._labels).any():
            raise WrongValueError(
                f'agreement: {len(labels)} results of the student are not in the order of the {len(teacher)} '
                'predictions of the teacher (their labels differ); the validation sampler must not shuffle'
            )
        name = f'/{self.teacher}' if self.teacher else ''
        metrics = {
            f'agreement{name}/top1': float((student.argmax(1) == teacher.argmax(1)).mean()),
            f'agreement{name}/kl': float(self._divergence(student).mean()),
        }
        known = labels < teacher.shape[1] if self._first else np.ones(len(labels), bool)
        if (labels >= 0).all() and known.any():
            metrics[f'teacher{name}/top1'] = float((teacher.argmax(1) == labels)[known].mean())
        elif all(len(label) == teacher.shape[1] for label in truth):
            several = np.stack(truth)
            shown = (several == 1).any(axis=0)  # a class without a sample has no precision
            if shown.any():
                value = mean_average_precision(teacher[:, shown], several[:, shown])
                metrics[f'teacher{name}/mean_average_precision'] = float(value)
        return metrics

    def _divergence(self, student: np.ndarray) -> np.ndarray:
        """Return the divergence of the student's probabilities ``(N, K)`` from the teacher's, ``(N,)`` nats."""
        found = _kl(self._probabilities, student)
        return found + _kl(1 - self._probabilities, 1 - student) if self._several else found


def own_probabilities(scores: Tensor) -> np.ndarray:
    """Return ``(K,)`` probabilities, each class by itself, from ``(K,)`` or ``(clips, K)`` log-odds.

    Args:
        scores: Scores of one sample; several clips are averaged.
    """
    return torch.atleast_2d(scores).double().sigmoid().mean(dim=0).cpu().numpy()


def as_probabilities(scores: np.ndarray) -> np.ndarray:
    """Return ``(K,)`` probabilities from ``(K,)`` or ``(clips, K)`` probabilities or logits.

    Args:
        scores: Scores of one sample; several clips are averaged.
    """
    scores = np.atleast_2d(scores).astype(np.float64)
    if (scores < 0).any() or (np.abs(scores.sum(1) - 1) > 1e-2).any():
        scores = np.exp(scores - scores.max(1, keepdims=True))
    scores = scores / scores.sum(1, keepdims=True)
    return scores.mean(0)


def _kl(teacher: np.ndarray, student: np.ndarray) -> np.ndarray:
    """KL(teacher || student) of ``(N, K)`` each, ``(N,)`` nats; a student's zero counts as the least float32."""
    ratio = np.log(np.maximum(teacher, _TINY)) - np.log(np.maximum(student, _TINY))
    return (teacher * ratio).sum(1)
