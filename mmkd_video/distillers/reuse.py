"""A student that reuses its teacher's classifier."""

from collections.abc import Mapping

from torch import nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.teachers import Teacher


def reuse_classifier(student: nn.Module, teachers: Mapping[str, Teacher]) -> None:
    """Copy the teacher's classifier into a student whose head adopts one (``SimKDHead``); leave others alone.

    Args:
        student: The recognizer.
        teachers: The teachers by name.

    Raises:
        ValueError: It is not clear which teacher is meant, or the classifier does not fit.
    """
    head = getattr(student, 'cls_head', None)
    if not hasattr(head, 'adopt_classifier'):
        return
    name = head.teacher or next(iter(teachers), None)
    if name not in teachers or (head.teacher is None and len(teachers) > 1):
        raise WrongValueError(
            f'student.cls_head.teacher: got {head.teacher!r}, expected the name of the teacher whose classifier '
            f'{type(head).__name__} keeps, one of {list(teachers)}'
        )
    head.adopt_classifier(*teachers[name].classifier())
