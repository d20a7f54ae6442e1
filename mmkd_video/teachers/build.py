"""Teachers built from a config."""

import inspect
from collections.abc import Mapping
from typing import Any

from mmkd_video.core.checked import Optional, Settings, did_you_mean, keys_of
from mmkd_video.core.mistakes import WrongKeyError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.plain_student import named_teachers
from mmkd_video.teachers.teacher import Teacher

FORM = Settings('dict(config=..., checkpoint=...)')
TEACHERS = Optional(Settings('dict(config=..., checkpoint=...), or a dict of these by name'))


def build_teachers(config: Mapping | None) -> dict[str, Teacher]:
    """Build one teacher, or several by name.

    Args:
        config: ``dict(config=, checkpoint=)``, a dict of these by name, or None.

    Raises:
        KeyError: An unknown key of a teacher.
        ValueError: Neither of these, or an invalid value.
    """
    TEACHERS.check('teacher', config)
    named = named_teachers(config)
    for name, each in named.items():
        check_teacher(name, each)
    return {name: MODELS.build({'type': 'FrozenTeacher', **each, 'name': name}) for name, each in named.items()}


def check_teacher(name: str, config: Any) -> None:
    """Check a teacher's settings before it is built.

    Args:
        name: Name of the teacher.
        config: Config of the teacher.

    Raises:
        KeyError: An unknown key, or an unknown kind of teacher.
        ValueError: An invalid value.
    """
    FORM.check(name, config)
    if 'name' in config:
        named = config['name']
        raise WrongKeyError(
            f"{name}: got the key 'name' with {named!r}; expected a teacher that is named by its own key: "
            f'teacher=dict({named}=dict(config=..., checkpoint=...))'
        )
    kind = config.get('type', 'FrozenTeacher')
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    if not _is_teacher(found):
        kinds = [
            each for each, kept in MODELS.module_dict.items() if inspect.isclass(kept) and issubclass(kept, Teacher)
        ]
        hint = (
            did_you_mean(kind, kinds) if isinstance(kind, str) else 'register a subclass of mmkd_video.teachers.Teacher'
        )
        raise WrongKeyError(
            f'{name}.type: got {kind!r}; expected the name of a teacher, such as {", ".join(map(repr, kinds))}; {hint}'
        )
    settings = {key: value for key, value in config.items() if key != 'type'}
    keys_of(found).check(name, settings)


def _is_teacher(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, Teacher)
