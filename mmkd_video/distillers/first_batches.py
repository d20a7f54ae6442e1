"""Checks of a teacher that are made in the first batches only, because they cost time."""

import math
from collections.abc import Mapping

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError

WATCHED_CLIPS = 128
WATCHED_BATCHES = 16
NEARLY_ONE_HOT = 0.9  # mean probability of the first class


class FirstBatches:
    """Check a teacher on the first batches of the training.

    Wrong normalisation and another order of the labels are the commonest mistakes; both leave a teacher near chance on
    the very clips it should know.

    Args:
        name: The teacher's name, for messages.
        num_classes: Number of classes; None for a teacher without class scores.
        temperatures: Temperature of each term that compares softened class scores, by the term's name.
    """

    def __init__(self, name: str, num_classes: int | None, temperatures: Mapping[str, float] | None = None) -> None:
        self.name = name
        self.temperatures = dict(temperatures or {})
        self.sharpness = dict.fromkeys(self.temperatures, 0.0)
        self.looked_at = 0
        self.num_classes = num_classes
        self.batches = 0
        self.clips = 0
        self.correct = 0
        self.labels = 0
        self.done = False

    def check(self, features: dict[str, Tensor], labels: Tensor | None) -> None:
        """Check one batch.

        Args:
            features: The teacher's features by tap.
            labels: ``(N,)`` class indices, -1 where there is none; ``(N, K)`` soft labels or labels of several classes,
                rows of zeros where there is none; ``(N, T)`` those of frames, beside logits ``(N, T, K)``; or None.

        Raises:
            ValueError: A feature holds NaN or infinity.
        """
        if self.done:
            return
        for tap, feature in features.items():
            if not torch.isfinite(feature).all():
                raise WrongValueError(
                    f'{self.name} tap {tap!r}: the output holds NaN or infinity; check its checkpoint, its '
                    'normalisation and whether it needs float32 (AMP)'
                )
        self.batches += 1
        self._look_at_sharpness(features.get('logits'))
        logits = features.get('logits')
        if logits is not None and logits.ndim == 3:  # of every frame, as their labels
            logits, labels = logits.flatten(0, 1), None if labels is None else labels.flatten()
        if labels is not None and logits is not None and logits.shape[0] == labels.shape[0]:
            self._count(logits.argmax(dim=1), labels)
        if self.clips >= WATCHED_CLIPS or self.batches >= WATCHED_BATCHES:
            self._report()

    def _count(self, chosen: Tensor, labels: Tensor) -> None:
        """Count the clips whose most probable class is their label: the largest of soft ones, one of several.

        Clips of classes that came after the teacher, whose labels it does not know, do not count.
        """
        if labels.ndim == 1:
            known, right, of_clip = (labels >= 0) & (labels < (self.num_classes or math.inf)), chosen == labels, 1
        else:
            highest = labels.amax(dim=1, keepdim=True)
            known, right = highest.squeeze(1) > 0, labels.gather(1, chosen[:, None]).eq(highest).squeeze(1)
            of_clip = labels.eq(highest).sum(dim=1)
        self.clips += int(known.sum())
        self.correct += int((right & known).sum())
        self.labels += int((known * of_clip).sum())

    def _look_at_sharpness(self, logits: Tensor | None) -> None:
        if logits is None or logits.ndim != 2:
            return
        self.looked_at += logits.shape[0]
        for term, temperature in self.temperatures.items():
            largest = (logits.detach().float() / temperature).softmax(dim=1).amax(dim=1)
            self.sharpness[term] += float(largest.sum())

    def _report(self) -> None:
        self.done = True
        for term, total in self.sharpness.items():
            if self.looked_at and total / self.looked_at > NEARLY_ONE_HOT:
                print_log(
                    f'term {term!r}: at temperature {self.temperatures[term]:g}, {self.name} gives its first class '
                    f'{total / self.looked_at:.1%} on the first {self.looked_at} training clips: that is nearly a '
                    'label, and tells the student little about the other classes. Raise the temperature, or use '
                    'LogitStdKDLoss, which standardises the scores first.',
                    logger='current',
                    level=30,
                )
        if not self.clips or not self.num_classes:
            return
        accuracy, chance = self.correct / self.clips, self.labels / self.clips / self.num_classes
        line = f'{self.name}: {accuracy:.1%} top-1 on the first {self.clips} training clips (chance {chance:.1%})'
        doubt = 2 * math.sqrt(chance * (1 - chance) / self.clips)
        if accuracy <= chance + doubt:
            print_log(
                f'{line}. That is near chance: check its mean and std, the order of the labels and its checkpoint.',
                logger='current',
                level=30,
            )
        else:
            print_log(line, logger='current')


def softening_temperatures(terms: Mapping[str, nn.Module], teacher: str) -> dict[str, float]:
    """Return the temperature of each term that softens the class scores of one teacher by a fixed one.

    Args:
        terms: The terms by name.
        teacher: The teacher's name.
    """
    found = {}
    for name, term in terms.items():
        temperature = getattr(term.loss, 'temperature', None)
        plain = getattr(term.loss, 'softens', False) and isinstance(temperature, (int, float))
        as_they_are = all(pair.taps[1] == 'logits' and not pair.standardize for pair in term.pairs)
        if term.teacher == teacher and plain and as_they_are:
            found[name] = float(temperature)
    return found
