"""Which outputs of a teacher are the student's classes, found by their names."""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.recognizers.class_names import class_names
from mmkd_video.recognizers.plain_student import is_distillation, named_teachers

BY_NAME = 'by_name'
LARGEST_FILE = 1 << 24
SHOWN = 5


def match_classes(asked: Sequence[str], known: Sequence[str], teacher: str) -> list[int]:
    """Find the teacher's outputs that are the student's classes, and log in one line what was found.

    A name is found where it is the same, or the same but for case, spaces and punctuation, as ``ApplyEyeMakeup`` and
    ``apply eye makeup``.

    Args:
        asked: Names of the student's classes, in the order of its labels.
        known: Names of the teacher's outputs.
        teacher: The teacher's name, for messages.

    Returns:
        Index of the teacher's output for each of the student's classes.

    Raises:
        ValueError: A class has no output of that name, or several, or two have the same.
    """
    exact, near = _places(known), _places([_letters(name) for name in known])
    found, changed, missing = [], [], []
    for name in asked:
        places = exact.get(name) or near.get(_letters(name)) or []
        if len(places) == 1:
            found.append(places[0])
            changed += [] if name in exact else [f'{name!r} as {known[places[0]]!r}']
        else:
            missing.append(_lacking(name, known, places))
    if missing:
        raise WrongValueError(
            f'{teacher}.classes: got {len(found)} of {len(asked)} classes by name; missing {_some(missing)}; expected '
            "an output for each of the student's classes: correct the names, or give the indices of its outputs"
        )
    if len(set(found)) < len(found):
        twice = next(place for place in found if found.count(place) > 1)
        names = [name for name, place in zip(asked, found, strict=True) if place == twice]
        raise WrongValueError(
            f'{teacher}.classes: got the classes {_some(list(map(repr, names)))} for its one output {known[twice]!r}; '
            'expected another name for each class'
        )
    like = f'; not letter by letter: {_some(changed)}' if changed else ''
    rest = len(known) - len(found)
    others = f'; {rest} of its outputs are no class of the student' if rest else ''
    print_log(f'{teacher}: found all {len(found)} classes of the student by name{like}{others}', logger='current')
    return found


def read_names(path: str, where: str) -> list[str]:
    """Read a file with a name on each line.

    Args:
        path: The file.
        where: Name of the setting in errors.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no names.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(
            f'{where}: got {path!r}; expected {BY_NAME!r}, names, indices, or a file with a name on each line; there '
            'is no such file'
        )
    if file.stat().st_size > LARGEST_FILE:
        raise WrongValueError(f'{where}: {path} has {file.stat().st_size} bytes; expected at most {LARGEST_FILE}')
    try:
        names = [line.strip() for line in file.read_text(encoding='utf-8').splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise WrongValueError(f'{where}: {path} is no text; expected a file with a name on each line') from None
    if not names:
        raise WrongValueError(f'{where}: {path} is empty; expected a name on each line')
    return names


def name_classes(config: Config) -> None:
    """Put the names of the student's classes in the place of every teacher's ``classes='by_name'``.

    Args:
        config: Whole config of a distillation, which is changed; any other stays as it is.

    Raises:
        ValueError: Nothing tells the names.
    """
    if not is_distillation(config):
        return
    for name, teacher in named_teachers(config.model.get('teacher')).items():
        if teacher.get('classes') == BY_NAME:
            teacher['classes'] = list(_students(config, name))


def _students(config: Config, teacher: str) -> Sequence[str]:
    student: Mapping = config.model['student']
    while 'recognizer' in student:  # a PrunedRecognizer
        student = student['recognizer']
    number = (student.get('cls_head') or {}).get('num_classes')
    names = class_names(config, number) if number else None
    if names is None:
        raise WrongValueError(
            f"{teacher}.classes: got {BY_NAME!r}, but nothing tells the names of the student's {number} classes; "
            'expected a classes.txt beside the annotation file, label_map=<file> in the config, or classes=<names>'
        )
    return names


def _places(names: Sequence[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        found.setdefault(name, []).append(place)
    return found


def _letters(name: str) -> str:
    """Return the letters and digits of a name, without case."""
    return re.sub(r'[\W_]+', '', name).casefold()


def _lacking(name: str, known: Sequence[str], places: Sequence[int]) -> str:
    if places:
        return f'{name!r} (outputs {places[0]} and {places[1]} have this name)'
    close = difflib.get_close_matches(name, known, 1, cutoff=0.6)
    return f'{name!r} (near: {close[0]!r})' if close else repr(name)


def _some(items: Sequence[str]) -> str:
    more = f' and {len(items) - SHOWN} more' if len(items) > SHOWN else ''
    return ', '.join(items[:SHOWN]) + more
