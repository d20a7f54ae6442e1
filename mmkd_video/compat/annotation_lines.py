"""A wrong line of an annotation file ends in ``invalid literal for int()``, or is taken for something else.

Cause: MMAction2 splits each line and converts what it finds, without a check. A byte-order mark becomes part of the
first name, a comment or an empty line becomes a video, and a name with a space ends in ``too many values to unpack``.
Neither the file nor the line is named.

Fix: ``VideoDataset`` and ``RawframeDataset`` look at the file before they read it; the error names file and line, what
was got and what is expected. A line without a label, or with the label -1, is a video whose label is not known.
``VideoDataset`` also takes names with spaces, quotes, commas and backslashes, and csv files
(:mod:`mmkd_video.compat.annotation_rows`).
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from mmkd_video.compat.annotation_rows import Columns, Row, read_rows, video_paths
from mmkd_video.compat.mistakes import WrongValueError
from mmkd_video.compat.patching import after_import, wrap

LARGEST = 2**31 - 1


def columns_of(dataset: Any) -> Columns | None:
    """Return what the annotation file of a dataset of MMAction2 holds; None where it reads no such lines.

    Args:
        dataset: Any dataset.
    """
    several = bool(getattr(dataset, 'multi_class', False))
    if hasattr(dataset, 'delimiter'):
        return Columns(dataset.delimiter, (), several)
    if hasattr(dataset, 'with_offset'):
        return Columns(None, ('offset', 'frames') if dataset.with_offset else ('frames',), several)
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
    for row in read_rows(path, columns):
        problem = row.problem or _of_row(row, columns, num_classes, labelled)
        if problem:
            return f'{path}:{row.number}: {problem}'
    return None


def _of_row(row: Row, columns: Columns, num_classes: int | None, labelled: bool) -> str | None:
    expected = f'expected `{columns.expected}`'
    if len(row.counts) < len(columns.counts):
        return f'got {row.text[:60]!r}; {expected}'
    for name, count in zip(columns.counts, row.counts, strict=True):
        if not re.fullmatch(r'\d+', count):
            return f'got {name} {count!r}; expected a whole number of at least 0'
    if len(row.labels) > 1 and not columns.several:
        many = f'got {1 + len(row.counts) + len(row.labels)} columns in {row.text[:60]!r}; {expected}'
        return f'{many}; a name that holds what stands between columns is put into "double quotes"'
    if labelled and (not row.labels or '-1' in row.labels):
        return f'got no label in {row.text[:60]!r}; {expected}; what is validated on needs labels: leave such clips out'
    return next((problem for label in row.labels if (problem := _of_label(label, num_classes))), None)


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
        dataset: Any dataset; one that says ``leaves_out_classes`` does not take every line, so that its file is left
            out.
    """
    held = getattr(dataset, '__dict__', {})
    for inner in (*[held[key] for key in ('dataset', '_dataset') if key in held], *held.get('datasets', ())):
        yield from annotation_files(inner)
    columns, path = columns_of(dataset), held.get('ann_file')
    whole = not getattr(type(dataset), 'leaves_out_classes', False)
    if whole and columns is not None and path and Path(path).is_file():
        yield Path(path), columns


def _expect_right_lines(dataset: Any) -> Columns | None:
    """Return what a dataset's annotation file holds, when all its lines are right; None where it cannot be looked at.

    Raises:
        ValueError: A line is wrong; names file and line.
    """
    columns = columns_of(dataset)
    if columns is None or not Path(dataset.ann_file).is_file():
        return None
    problem = wrong_line(dataset.ann_file, columns)
    if problem:
        raise WrongValueError(problem)
    return columns


def _checked(load: Callable) -> Callable:
    def patched(self: Any) -> Any:
        _expect_right_lines(self)
        return load(self)

    return patched


def _reading(load: Callable) -> Callable:
    def patched(self: Any) -> Any:
        columns = _expect_right_lines(self)
        if columns is None:
            return load(self)
        rows = list(read_rows(self.ann_file, columns))
        samples = []
        for row, path in zip(rows, video_paths(rows, self.data_prefix['video']), strict=True):
            labels = [int(label) for label in row.labels]
            samples.append(dict(filename=path, label=labels if self.multi_class else (labels or [-1])[0]))
        return samples

    return patched


def _patch_videos(module: ModuleType) -> None:
    wrap(module.VideoDataset, 'load_data_list', _reading)


def _patch_frames(module: ModuleType) -> None:
    wrap(module.RawframeDataset, 'load_data_list', _checked)


def applies() -> bool:
    """Return whether lines are read without a check: as long as MMAction2 does."""
    return True


def apply() -> None:
    """Wrap the reading when MMAction2's data sets are imported."""
    after_import('mmaction.datasets.video_dataset', _patch_videos)
    after_import('mmaction.datasets.rawframe_dataset', _patch_frames)
