"""Class names as sentences that a text tower reads."""

import re
from collections.abc import Sequence

from mmkd_video.core.mistakes import WrongValueError

PLACE = '{}'
LONGEST = 1000
MOST = 10_000
ACTIONS = tuple(
    f'a {medium} of {who}.'
    for medium in ('video', 'photo', 'demonstration')
    for who in (PLACE, f'a person {PLACE}', f'a person doing {PLACE}')
)
"""The sentences that action names are put in by default: an ensemble like that of CLIP for Kinetics, UCF101 and HMDB51
(https://arxiv.org/abs/2103.00020, appendix A), of fewer sentences."""


def check_templates(templates: Sequence[str], key: str) -> None:
    """Check that each template has one place for a name.

    Args:
        templates: Sentences such as ``'a video of {}.'``.
        key: Name of the setting in errors.

    Raises:
        ValueError: One that has none, or several.
    """
    for index, template in enumerate(templates):
        if template.count(PLACE) != 1 or len(template) > LONGEST:
            raise WrongValueError(
                f'{key}[{index}]: got {template[:80]!r}; expected one {PLACE} where the class name stands, as in '
                f"'a video of {PLACE}.'"
            )


def check_names(names: Sequence[str], key: str) -> None:
    """Check that class names differ and can be read.

    Args:
        names: Names of the classes.
        key: Name of the setting in errors.

    Raises:
        ValueError: Too many or too long ones, or one without letters, or two that are read alike.
    """
    if len(names) > MOST:
        raise WrongValueError(f'{key}: got {len(names)} names; expected at most {MOST}')
    seen: dict[str, str] = {}
    for name in names:
        words = to_words(name)
        if len(name) > LONGEST or not re.search(r'\w', words):
            raise WrongValueError(f'{key}: got the name {name[:80]!r}; expected words, of at most {LONGEST} characters')
        if words in seen:
            raise WrongValueError(
                f'{key}: got {seen[words]!r} and {name!r}, which are both read as {words!r}; expected another name for '
                'each class'
            )
        seen[words] = name


def to_words(name: str) -> str:
    """Return a class name as words: ``ApplyEyeMakeup`` and ``apply_eye_makeup`` are ``apply eye makeup``.

    Args:
        name: Name of a class. Brackets, as in ``Pushing [something]``, are left out.
    """
    spaced = re.sub(r'(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])', ' ', name) if _is_camel(name) else name
    words = re.sub(r'[\[\]_\s]+', ' ', spaced).strip()
    return words.lower() if _is_camel(name) else words


def fill(names: Sequence[str], templates: Sequence[str]) -> list[str]:
    """Return all templates of the first name, then all of the second, and so on.

    Args:
        names: Names of K classes.
        templates: M sentences.

    Returns:
        ``K * M`` sentences.
    """
    return [template.replace(PLACE, to_words(name)) for name in names for template in templates]


def _is_camel(name: str) -> bool:
    return ' ' not in name and re.search('[a-z0-9][A-Z]', name) is not None
