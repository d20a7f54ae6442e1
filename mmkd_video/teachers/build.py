"""Teachers built from a config."""

import inspect
from collections.abc import Mapping
from typing import Any

from mmkd_video.core.checked import Optional, Settings, did_you_mean, keys_of
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.plain_student import given_teachers
from mmkd_video.teachers.teacher import Teacher

FORM = Settings('dict(config=..., checkpoint=...)')
TEACHERS = Optional(Settings('dict(config=..., checkpoint=...), or a dict of these by name'))


def build_teachers(config: Mapping | None) -> dict[str, Teacher]:
    """Build one teacher, or several by name.

    Args:
        config: ``dict(config=, checkpoint=)``, a dict of these by name, or None.

    Raises:
        KeyError: An unknown key of a teacher.
        ValueError: Neither of these, an invalid value, or two teachers whose parts have one name.
    """
    TEACHERS.check('teacher', config)
    named = given_teachers(config)
    for name, each in named.items():
        check_teacher(name, each)
    built = {name: build_teacher(name, name, each) for name, each in named.items()}
    _expect_own_names(built)
    return built


def build_teacher(name: str, where: str, config: Mapping) -> Teacher:
    """Check a teacher's settings and build it.

    Args:
        name: Its name in terms, views and messages.
        where: Its key, for messages about its settings.
        config: Its settings.

    Raises:
        KeyError: An unknown key, or an unknown kind of teacher.
        ValueError: An invalid value.
    """
    check_teacher(where, config)
    return MODELS.build({'type': 'FrozenTeacher', **config, 'name': name})


def _expect_own_names(teachers: Mapping[str, Teacher]) -> None:
    """Expect all parts of all teachers to have names of their own: views and sizes are given by name."""
    taken: dict[str, str] = {}
    for name, teacher in teachers.items():
        itself = teacher.parts.get(name) is teacher
        for part in [*teacher.parts, *(() if itself else (name,))]:
            if part in taken:
                raise WrongValueError(
                    f'teacher: got {part!r} in {taken[part]!r} and in {name!r}; expected another name for each teacher '
                    'and each member, as views and sizes are given by name'
                )
            taken[part] = name


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
