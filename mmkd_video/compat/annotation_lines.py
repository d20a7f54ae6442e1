"""A wrong line of an annotation file ends in ``invalid literal for int()``, or is taken for something else.

Cause: MMAction2 splits each line and converts what it finds, without a check. A byte-order mark becomes part of the
first name, a comment or an empty line becomes a video, and a name with a space ends in ``too many values to unpack``.
Neither the file nor the line is named.

Fix: ``VideoDataset`` and ``RawframeDataset`` look at the file before they read it; the error names file and line, what
was got and what is expected. A line without a label, or with the label -1, is a video whose label is not known.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from mmkd_video.compat.mistakes import WrongValueError
from mmkd_video.compat.patching import after_import, wrap

MARKS = {
    codecs.BOM_UTF32_LE: 'UTF-32',
    codecs.BOM_UTF32_BE: 'UTF-32',
    codecs.BOM_UTF8: 'a byte-order mark',
    codecs.BOM_UTF16_LE: 'UTF-16',
    codecs.BOM_UTF16_BE: 'UTF-16',
}
REMEDY = 'save the file as UTF-8 without a byte-order mark'
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Columns:
    """The columns of a line in an annotation file.

    Args:
        delimiter: Text between columns; None for any white space.
        counts: Names of the whole numbers between the name and the label.
        several: Whether a sample may have several labels.
    """

    delimiter: str | None = ' '
    counts: tuple[str, ...] = ()
    several: bool = False

    @property
    def expected(self) -> str:
        """The columns in words."""
        return ' '.join(['path', *self.counts, 'label ...' if self.several else 'label'])

    @classmethod
    def of(cls, dataset: Any) -> 'Columns | None':
        """Return what a dataset of MMAction2 reads; None where it reads no such lines."""
        several = bool(getattr(dataset, 'multi_class', False))
        if hasattr(dataset, 'delimiter'):
            return cls(dataset.delimiter, (), several)
        if hasattr(dataset, 'with_offset'):
            return cls(None, ('offset', 'frames') if dataset.with_offset else ('frames',), several)
        return None


def wrong_line(
    path: str | Path, columns: Columns, num_classes: int | None = None, labelled: bool = False
) -> str | None:
    """Return where an annotation file is wrong, and what is expected there; None where it is not.

    Args:
        path: Path of a local file that exists.
        columns: The columns of each line.
        num_classes: Number of classes of the model; None where it is not known.
        labelled: Whether every clip needs a label.
    """
    content = Path(path).read_bytes()
    for mark, name in MARKS.items():
        if content.startswith(mark):
            return f'{path}:1: got {name}; expected plain UTF-8; {REMEDY}'
    for number, line in enumerate(content.splitlines(), 1):
        problem = _of_bytes(line) or _of_line(line.decode(), columns, num_classes, labelled)
        if problem:
            return f'{path}:{number}: {problem}'
    return None


def _of_bytes(line: bytes) -> str | None:
    if b'\0' in line:
        return f'got a zero byte; expected plain UTF-8; {REMEDY}'
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return f'got the byte 0x{line[error.start]:02x} in {line[:60]!r}; expected plain UTF-8; {REMEDY}'
    return None


def _of_line(line: str, columns: Columns, num_classes: int | None, labelled: bool) -> str | None:
    text = line.strip()
    expected = f'expected `{columns.expected}`'
    if not text:
        return f'got an empty line; {expected}; take the line out'
    if text.startswith('#'):
        return f'got the comment {text[:60]!r}; {expected}; comments are not known, take the line out'
    if columns.delimiter == ' ' and '\t' in text:
        return f"got a tab in {text[:60]!r}; {expected}; put a space there, or set delimiter='\\t' in the dataset"
    parts = text.split(columns.delimiter)
    counts, labels = parts[1 : 1 + len(columns.counts)], parts[1 + len(columns.counts) :]
    if len(counts) < len(columns.counts):
        return f'got {text[:60]!r}; {expected}'
    for name, count in zip(columns.counts, counts, strict=True):
        if not re.fullmatch(r'\d+', count):
            return f'got {name} {count!r}; expected a whole number of at least 0'
    if len(labels) > 1 and not columns.several:
        many = f'got {len(parts)} columns in {text[:60]!r}; {expected}'
        return f"{many}; a name with spaces needs another delimiter, such as delimiter=',' in the dataset"
    if labelled and (not labels or '-1' in labels):
        return f'got no label in {text[:60]!r}; {expected}; what is validated on needs labels: leave such clips out'
    return next((problem for label in labels if (problem := _of_label(label, num_classes))), None)


def _of_label(label: str, num_classes: int | None) -> str | None:
    last = LARGEST if num_classes is None else num_classes - 1
    if re.fullmatch(r'-1|\d{1,18}', label) and int(label) <= last:
        return None
    known = re.fullmatch(r'\d+', label) and num_classes is not None
    which = f'0 to {last}, as cls_head.num_classes is {num_classes}' if known else 'a whole number from 0'
    remedy = 'set num_classes, or patch the labels' if known else 'a label that is not known is -1, or left out'
    return f'got label {label[:40]!r}; expected {which}; {remedy}'


def annotation_files(dataset: Any) -> Iterator[tuple[Path, Columns]]:
    """Yield the local annotation files of a dataset, and of all that it wraps, with what their lines hold.

    Args:
        dataset: Any dataset.
    """
    held = getattr(dataset, '__dict__', {})
    for inner in (*[held[key] for key in ('dataset', '_dataset') if key in held], *held.get('datasets', ())):
        yield from annotation_files(inner)
    columns, path = Columns.of(dataset), held.get('ann_file')
    if columns is not None and path and Path(path).is_file():
        yield Path(path), columns


def _checked(load: Callable) -> Callable:
    def patched(self: Any) -> Any:
        columns = Columns.of(self)
        if columns is not None and Path(self.ann_file).is_file():
            problem = wrong_line(self.ann_file, columns)
            if problem:
                raise WrongValueError(problem)
        return load(self)

    return patched


def _patch_videos(module: ModuleType) -> None:
    wrap(module.VideoDataset, 'load_data_list', _checked)


def _patch_frames(module: ModuleType) -> None:
    wrap(module.RawframeDataset, 'load_data_list', _checked)


def applies() -> bool:
    """Return whether lines are read without a check: as long as MMAction2 does."""
    return True


def apply() -> None:
    """Wrap the reading when MMAction2's data sets are imported."""
    after_import('mmaction.datasets.video_dataset', _patch_videos)
    after_import('mmaction.datasets.rawframe_dataset', _patch_frames)
