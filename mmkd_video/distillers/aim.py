"""The loss that an attack on the student is to raise."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from mmkd_video.functional import kl_divergence, log_probabilities


def against_labels(labels: Tensor | None, clean: Callable[[], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return the cross entropy ``(N,)`` with labels; a clip without one has the student's own decision as label.

    Args:
        labels: ``(N,)`` class indices, -1 for none, or ``(N, K)`` soft labels, rows of zeros for none; None where no
            clip has any.
        clean: Function that returns the student's scores ``(N, K)`` of the clean clips.
    """
    known = None if labels is None else (labels >= 0 if labels.ndim == 1 else labels.sum(1) > 0)
    if known is None or not bool(known.all()):
        scores = clean()
        own = scores.argmax(1)
        if labels is None:
            labels = own
        elif labels.ndim == 1:
            labels = torch.where(known, labels, own)
        else:
            one_hot = F.one_hot(own, scores.shape[1]).to(labels)
            labels = torch.where(known[:, None], labels, one_hot)
    return lambda scores: F.cross_entropy(scores.float(), labels, reduction='none')


def against_scores(scores: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the divergence ``(N,)`` from fixed class scores.

    Args:
        scores: ``(N, K)``, of a teacher, or of the student itself, on clean clips.
    """
    fixed = log_probabilities(scores.detach().float())
    return lambda attacked: kl_divergence(log_probabilities(attacked.float()), fixed)


def scores_taught(taught: Mapping[str, Mapping[str, Tensor]], name: str) -> Tensor | None:
    """Return the class scores of a teacher that has taught; None where it has not, or has none."""
    return taught.get(name, {}).get('logits')
