"""Class labels, hard or soft, and the logits without them."""

import torch
from torch import Tensor

__all__ = ['class_indices', 'decides_for_label', 'log_odds', 'non_target_logits', 'top_probability']


def class_indices(labels: Tensor, logits: Tensor) -> Tensor:
    """Return the class of every sample, ``(N,)`` int64; soft labels stand for their largest class.

    Args:
        labels: Class indices ``(N,)``, of any integers or bool (classes 0 and 1), or scores per class ``(N, K)``
            (mixup, cutmix, one-hot).
        logits: ``(N, K)``; says N and K.

    Raises:
        ValueError: ``labels`` is neither, or names a class that does not exist. On an accelerator the latter is left to
            its own check, as reading them back would make the host wait.
    """
    shape = tuple(labels.shape)
    labels = labels.byte() if labels.dtype == torch.bool else labels
    if shape == tuple(logits.shape) and not labels.is_complex():
        return labels.to(logits.device).argmax(1)
    if shape != tuple(logits.shape[:1]) or labels.is_floating_point() or labels.is_complex():
        num_samples, num_classes = logits.shape
        raise ValueError(
            f'labels: got shape {shape} of {labels.dtype}, expected class indices ({num_samples},) '
            f'or soft labels ({num_samples}, {num_classes})'
        )
    if labels.device.type == 'cpu':
        wrong = labels[(labels < 0) | (labels >= logits.shape[1])]
        if len(wrong):
            raise ValueError(f'labels: got class {int(wrong[0])}, expected 0 to {logits.shape[1] - 1}')
    return labels.to(logits.device, torch.long)


def non_target_logits(logits: Tensor, target: Tensor) -> Tensor:
    """Return ``(N, K - 1)``: the logits of all classes but the target, exactly and without masks.

    Args:
        logits: ``(N, K)`` with K at least 2.
        target: ``(N,)`` class indices.
    """
    others = torch.arange(logits.shape[1] - 1, device=logits.device)
    return logits.gather(1, others + (others >= target.unsqueeze(1)))


def log_odds(logits: Tensor, target: Tensor) -> Tensor:
    """Return ``log(p / (1 - p))`` of the target class, ``(N,)``; exact where ``p`` rounds to 0 or 1.

    Args:
        logits: ``(N, K)`` with K at least 2.
        target: ``(N,)`` class indices.
    """
    return logits.gather(1, target.unsqueeze(1)).squeeze(1) - non_target_logits(logits, target).logsumexp(1)


def top_probability(logits: Tensor) -> Tensor:
    """Return the probability of the most probable class of every sample, ``(N,)``.

    Args:
        logits: ``(N, K)``.
    """
    return logits.softmax(dim=1).amax(dim=1)


def decides_for_label(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return for every sample whether its most probable class is its label, and whether it has a label; ``(N,)`` each.

    Args:
        logits: ``(N, K)``.
        labels: Class indices ``(N,)``, negative where there is none; or scores per class ``(N, K)``, of which the
            largest is the label, or each of several equally large; rows of zeros where there is none.
    """
    decision = logits.argmax(dim=1)
    if labels.ndim == 1:
        return decision == labels, labels >= 0
    largest = labels.amax(dim=1)
    return labels.gather(1, decision[:, None])[:, 0] == largest, largest > 0
