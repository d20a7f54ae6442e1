"""What is looked at in the first batches only, because looking costs time."""

import math

import torch
from mmengine.logging import print_log
from torch import Tensor

WATCHED_CLIPS = 128
WATCHED_BATCHES = 16


class FirstBatches:
    """Check the teacher on the batches that it is about to teach on, then fall silent.

    Wrong normalisation and another order of the labels are the commonest mistakes; both leave a teacher near chance on
    the very clips it should know.

    Args:
        name: The teacher's name, for messages.
        num_classes: Number of classes.
    """

    def __init__(self, name: str, num_classes: int) -> None:
        self.name = name
        self.num_classes = num_classes
        self.batches = 0
        self.clips = 0
        self.correct = 0
        self.done = False

    def check(self, features: dict[str, Tensor], labels: Tensor | None) -> None:
        """Look at one batch.

        Args:
            features: The teacher's features by tap.
            labels: ``(N,)`` class indices or ``(N, K)`` soft labels; None or -1 where there are none.

        Raises:
            ValueError: A feature holds NaN or infinity.
        """
        if self.done:
            return
        for tap, feature in features.items():
            if not torch.isfinite(feature).all():
                raise ValueError(
                    f'{self.name} tap {tap!r}: the output holds NaN or infinity; check its checkpoint, its '
                    'normalisation and whether it needs float32 (AMP)'
                )
        self.batches += 1
        if labels is not None and 'logits' in features and features['logits'].shape[0] == labels.shape[0]:
            hard = labels.argmax(dim=1) if labels.ndim == 2 else labels
            known = hard >= 0
            self.clips += int(known.sum())
            self.correct += int((features['logits'].argmax(dim=1) == hard)[known].sum())
        if self.clips >= WATCHED_CLIPS or self.batches >= WATCHED_BATCHES:
            self._report()

    def _report(self) -> None:
        self.done = True
        if not self.clips:
            return
        accuracy, chance = self.correct / self.clips, 1 / self.num_classes
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
