"""A student that sees a share of its tokens: from the config to what leaves the others out."""

from collections.abc import Mapping

from torch import nn

from mmkd_video.core.checked import did_you_mean
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.masking import TokenDropper, TokenMask, build_mask
from mmkd_video.teachers import Teacher


def build_dropper(config: Mapping | None, student: nn.Module, teachers: Mapping[str, Teacher]) -> TokenDropper:
    """Build what leaves tokens of the student out.

    Args:
        config: ``masking`` of a distiller; None shows all tokens.
        student: The student.
        teachers: The teachers by name.

    Raises:
        KeyError: No such mask or teacher, or an unknown argument.
        ValueError: The student needs all its tokens, or the teacher answers after the student.
    """
    if config is None:
        return TokenDropper(student, None)
    mask = build_mask(config)
    return TokenDropper(student, mask, None if mask.at is None else _teacher_of(mask, teachers))


def _teacher_of(mask: TokenMask, teachers: Mapping[str, Teacher]) -> str:
    name = mask.teacher
    if name is None and len(teachers) == 1:
        name = next(iter(teachers))
    if name not in teachers:
        hint = did_you_mean(str(name), list(teachers))
        raise WrongKeyError(
            f'masking.teacher: got {name!r}; expected the name of the teacher whose {mask.at!r} says what the student '
            f'sees, one of {list(teachers)}{f"; {hint}" if hint else ""}'
        )
    if teachers[name].student_taps or teachers[name].is_student:
        raise WrongValueError(
            f'masking.teacher: got {name!r}, a {type(teachers[name]).__name__}, which answers after the student; '
            'expected one that does not read the student'
        )
    return name
