"""A recognizer's own losses of the clips that have a label."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError


@contextmanager
def labelled_only(model: nn.Module, rows: list[int] | None) -> Iterator[None]:
    """Make a recognizer's head compute its loss and its accuracy from some rows of its scores.

    A batch without any gives a loss of zero, and gradients of zero for all that the scores depend on.

    Args:
        model: The recognizer.
        rows: Indices of the labelled clips; None for all, which changes nothing.

    Raises:
        ValueError: The model's losses are not all the head's own, so that rows cannot be left out.
    """
    if rows is None:
        yield
        return
    if getattr(model, 'with_neck', False):
        raise WrongValueError(
            f'student.neck: {type(model.neck).__name__} has losses of its own, which need a label for every clip; '
            'leave the unlabelled clips (label -1) out of the training list, or the neck out of the student'
        )
    head = model.cls_head
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
