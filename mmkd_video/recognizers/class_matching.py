"""Which outputs of a teacher are the student's classes, found by their names."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.class_names import class_names
from mmkd_video.recognizers.name_file import BY_NAME, read_names
from mmkd_video.recognizers.plain_student import is_distillation, named_teachers

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


def selected_outputs(
    classes: str | Sequence[int | str] | None, config: Config | None, outputs: int, teacher: str
) -> list[int] | None:
    """Return which of a teacher's outputs its setting ``classes`` selects; None for all.

    Args:
        classes: Indices, names, a file of names, or None.
        config: The teacher's whole config, which tells the names of its outputs; None where only a model was given.
        outputs: Number of its outputs.
        teacher: Its name, for messages.

    Raises:
        FileNotFoundError: There is no such file of names.
        ValueError: A name that it does not have, or names that nothing tells.
    """
    if classes == BY_NAME:
        raise WrongValueError(
            f"{teacher}.classes: got {BY_NAME!r}, and nothing here tells the names of the student's classes; train "
            'with tools/train.py, or give the names or a file of them'
        )
    if classes is None:
        return None
    asked = read_names(classes, f'{teacher}.classes') if isinstance(classes, str) else list(classes)
    if not asked or not all(isinstance(name, str) for name in asked):
        return asked
    known = None if config is None else class_names(config, outputs)
    if known is None:
        raise WrongValueError(
            f'{teacher}.classes: got names, but nothing tells those of its {outputs} outputs; expected indices of its '
            'outputs, or label_map=<file of its names> in its config'
        )
    return match_classes(asked, known, teacher)


def name_classes(config: Config) -> None:
    """Put the names of the student's classes where a teacher's settings leave them to be filled in.

    That is in the place of ``classes='by_name'``, and into ``zero_shot`` of a teacher whose classifier names are.

    Args:
        config: Whole config of a distillation, which is changed; any other stays as it is.

    Raises:
        ValueError: Nothing tells the names.
    """
    if not is_distillation(config):
        return
    for name, given in named_teachers(config.model.get('teacher')).items():
        if given.get('classes') == BY_NAME:
            given['classes'] = list(_students(config, f'{name}.classes: got {BY_NAME!r}, but'))
        for teacher in (given, given.get('teacher')):  # a cached one names the teacher itself there
            asked = _open_zero_shot(teacher)
            if asked is not None:
                names = list(_students(config, f'{name}.config.zero_shot: got no classes, and'))
                teacher['config'] = {**teacher['config'], 'zero_shot': {**asked, 'classes': names}}


def _open_zero_shot(teacher: Any) -> Mapping | None:
    """Return the block ``zero_shot`` of a teacher's config that names no classes; None where there is none."""
    source = teacher.get('config') if isinstance(teacher, Mapping) else None
    asked = source.get('zero_shot') if isinstance(source, Mapping) and 'source' in source else None
    if asked is True:
        return {}
    open_to_names = isinstance(asked, Mapping) and asked.get('classes') in (None, BY_NAME)
    return asked if open_to_names else None


def _students(config: Config, beginning: str) -> Sequence[str]:
    student: Mapping = config.model['student']
    while 'recognizer' in student:  # a PrunedRecognizer
        student = student['recognizer']
    number = (student.get('cls_head') or {}).get('num_classes')
    names = class_names(config, number) if number else None
    if names is None:
        raise WrongValueError(
            f"{beginning} nothing tells the names of the student's {number} classes; "
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
