"""Clips without a label, which take part in terms, not in the student's own losses."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.views import has_label


def labelled_rows(samples: Sequence[BaseDataElement]) -> list[int] | None:
    """Return which samples of a batch have a label; None where all have.

    Args:
        samples: The batch's data samples; the data preprocessor has noted on them whether they have one.
    """
    rows = [row for row, sample in enumerate(samples) if has_label(sample)]
    return None if len(rows) == len(samples) else rows


@contextmanager
def labelled_only(student: nn.Module, rows: list[int] | None) -> Iterator[None]:
    """Make a recognizer's head compute its loss and its accuracy from some rows of its scores.

    A batch without any gives a loss of zero, and gradients of zero for all that the scores depend on.

    Args:
        student: The recognizer.
        rows: Indices of the labelled clips; None for all, which changes nothing.

    Raises:
        ValueError: The student's losses are not all the head's own, so that rows cannot be left out.
    """
    if rows is None:
        yield
        return
    if getattr(student, 'with_neck', False):
        raise WrongValueError(
            f'student.neck: {type(student.neck).__name__} has losses of its own, which need a label for every clip; '
            'leave the unlabelled clips (label -1) out of the training list, or the neck out of the student'
        )
    head = student.cls_head
    whole = head.loss_by_feat

    def partial(scores: Tensor, samples: Sequence[BaseDataElement], *arguments: object) -> dict[str, Tensor]:
        if not isinstance(scores, Tensor) or len(scores) != len(samples):
            raise WrongValueError(
                f'{type(head).__name__}: got other scores than one row for each of {len(samples)} clips, so that clips '
                'without a label (-1) cannot be left out of its loss; leave them out of the training list'
            )
        if not rows:
            return {'loss_cls': scores.sum() * 0.0}
        return whole(scores[rows], [samples[row] for row in rows], *arguments)

    head.loss_by_feat = partial
    try:
        yield
    finally:
        del head.loss_by_feat


def stack_labels(samples: Sequence[BaseDataElement], device: torch.device) -> Tensor | None:
    """Return the labels of a batch.

    Args:
        samples: The batch's data samples.
        device: Device on which the labels are wanted.

    Returns:
        ``(N,)`` class indices, -1 where there is none; ``(N, K)`` soft labels, rows of zeros where there is none; None
        where no sample has any.
    """
    labels = [sample.gt_label if 'gt_label' in sample else None for sample in samples]
    known = next((label for label in labels if label is not None), None)
    if known is None:
        return None
    none = torch.full_like(known, -1 if known.numel() == 1 else 0)
    stacked = torch.stack([none if label is None else label for label in labels]).to(device)
    return stacked.squeeze(1) if stacked.ndim == 2 and stacked.shape[1] == 1 else stacked


def stack_indices(samples: Sequence[BaseDataElement], device: torch.device) -> Tensor | None:
    """Return the index ``(N,)`` of each sample in its training set, or None where one is missing.

    They stay on the host, where a loss can see whether they are in its range without waiting for ``device``.
    """
    indices = [sample.metainfo.get('sample_idx') for sample in samples]
    if any(index is None for index in indices):
        return None
    return torch.tensor(indices, pin_memory=device.type == 'cuda')
