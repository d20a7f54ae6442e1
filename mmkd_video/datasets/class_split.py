"""Classes divided into those that are trained on, those of the validation and new ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmkd_video.core.checked import AnyOf, ListOf, Text, Whole, did_you_mean, table_of
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError

PARTS = ('base', 'validation', 'novel')
_CLASSES = ListOf(AnyOf(Whole(0), Text('the name of a class')), least=1)
SPLIT = table_of('split', dict.fromkeys(PARTS, _CLASSES))


def classes_of(split: Mapping | None, part: str, dataset: Any, known: Sequence[int]) -> list[int]:
    """Return the labels of one part of a split.

    Args:
        split: ``dict(base=[...], validation=[...], novel=[...])`` of labels, or of names in ``classes.txt`` beside the
            annotation file; no class is in two parts. None: all classes are in every part.
        part: ``'base'``, ``'validation'`` or ``'novel'``.
        dataset: Data set, for the names.
        known: Labels of its clips.

    Raises:
        KeyError: There is no such part, or no class of that name.
        ValueError: A class is in two parts, or has no clip.
    """
    if split is None:
        return list(known)
    SPLIT.check('split', dict(split))
    if part not in split:
        raise WrongKeyError(f'part: got {part!r}; expected one of the parts of split, {list(split)}')
    names = _names(dataset) if any(isinstance(each, str) for group in split.values() for each in group) else []
    labels = {key: [_label(each, names, f'split.{key}') for each in group] for key, group in split.items()}
    where: dict[int, str] = {}
    for key, group in labels.items():
        for label in group:
            if label in where:
                raise WrongValueError(
                    f'split.{key}: got class {label}, which split.{where[label]} has too; expected every class once, '
                    'so that new classes are new'
                )
            where[label] = key
    missing = [label for label in labels[part] if label not in set(known)]
    if missing:
        raise WrongValueError(
            f'split.{part}: got classes {missing[:3]} without a clip in the annotation file; expected some of '
            f'{list(known)[:40]}'
        )
    return labels[part]


def _names(dataset: Any) -> list[str]:
    listed = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    path = Path(str(getattr(dataset, 'ann_file', ''))).parent / 'classes.txt'
    if listed is None and path.is_file():
        listed = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    if listed is None:
        raise WrongValueError(
            f'split: got names of classes, and no file {path} that says which labels they are; write one, a name on '
            'each line in the order of the labels, or give labels'
        )
    return list(listed)


def _label(given: int | str, names: Sequence[str], where: str) -> int:
    if not isinstance(given, str):
        return int(given)
    if given not in names:
        raise WrongKeyError(
            f'{where}: got the class {given!r}; expected names of classes.txt; {did_you_mean(given, names)}'
        )
    return names.index(given)
