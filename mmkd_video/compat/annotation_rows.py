"""The rows of an annotation file as users write them: names with spaces, quotes or commas, csv with a header, Kinetics.

A row that cannot be meant is told with its line number, what was got and what is expected.
"""

import codecs
import csv
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MARKS = {
    codecs.BOM_UTF32_LE: 'UTF-32',
    codecs.BOM_UTF32_BE: 'UTF-32',
    codecs.BOM_UTF8: 'a byte-order mark',
    codecs.BOM_UTF16_LE: 'UTF-16',
    codecs.BOM_UTF16_BE: 'UTF-16',
}
REMEDY = 'save the file as UTF-8 without a byte-order mark'
CLASSES = 'classes.txt'
TABLES = {'.csv': ',', '.tsv': '\t'}
PATH_COLUMNS = ('path', 'video_path', 'filepath', 'file_path', 'filename', 'file_name', 'file', 'video', 'clip', 'name')
LABEL_COLUMNS = ('label', 'label_id', 'class', 'class_id', 'class_name', 'target', 'action')
KINETICS = ('youtube_id', 'time_start', 'time_end')
_SUFFIX = re.compile(r'.+\.[A-Za-z]\w{1,4}')  # of a file: a letter after the dot, so that 1.0 is none
_WINDOWS = re.compile(r'[A-Za-z]:[\\/]|\\\\')


@dataclass(frozen=True)
class Columns:
    """What a line holds.

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


@dataclass(frozen=True)
class Row:
    """What one line says, or what is wrong with it.

    Attributes:
        number: Number of the line, from 1.
        names: Names under which the sample may lie; usually one, for Kinetics one for each way to store it.
        counts: Words where whole numbers are expected.
        labels: Words where labels are expected; class indices, where a table gave names of classes.
        text: The line.
        problem: Description of what is wrong; empty where nothing is.
    """

    number: int
    names: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    text: str = ''
    problem: str = ''


def read_rows(path: str | Path, columns: Columns) -> Iterator[Row]:
    """Yield the rows of a local annotation file; after one that cannot be read, none.

    Args:
        path: A file that exists. One that ends in ``.csv`` or ``.tsv`` is a table: with or without a header, and its
            labels may be names of ``classes.txt`` beside it.
        columns: Meanings of the columns, in order.
    """
    path = Path(path)
    content = path.read_bytes()
    delimiter = TABLES.get(path.suffix.lower(), columns.delimiter)
    table = delimiter in (',', ';', '\t') and not columns.counts
    if table and content.startswith(codecs.BOM_UTF8):
        content = content[len(codecs.BOM_UTF8) :]  # as spreadsheets write it
    for mark, name in MARKS.items():
        if content.startswith(mark):
            yield Row(1, problem=f'got {name}; expected plain UTF-8; {REMEDY}')
            return
    lines = content.splitlines()
    problems = ((number, problem) for number, line in enumerate(lines, 1) if (problem := _of_bytes(line)))
    bad = next(problems, None)
    texts = [line.decode().strip() for line in lines[: bad[0] - 1 if bad else None]]
    if table:
        yield from _Table(path, delimiter, columns, texts[0] if texts else '').rows(texts)
    else:
        yield from (_row(number, text, columns) for number, text in enumerate(texts, 1))
    if bad:
        yield Row(bad[0], problem=bad[1])


def video_paths(rows: Iterable[Row], prefix: str | None) -> Iterator[str]:
    """Yield the path of each row's video: of several places the one where it is, else the first.

    Args:
        rows: Without problems.
        prefix: Folder in which names begin; None or an empty text: none.
    """
    last = 0  # the place of the one before, where the next will be too
    for row in rows:
        paths = [os.path.join(prefix, name) if prefix else name for name in row.names]
        if len(paths) > 1:
            places = sorted(range(len(paths)), key=lambda place: place != last % len(paths))
            last = next((place for place in places if os.path.isfile(paths[place])), 0)
        path = paths[last % len(paths)]
        if '\\' in row.names[0] and os.sep == '/' and not os.path.isfile(path):
            path = path.replace('\\', '/')
        yield path


def _of_bytes(line: bytes) -> str | None:
    if b'\0' in line:
        return f'got a zero byte; expected plain UTF-8; {REMEDY}'
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return f'got the byte 0x{line[error.start]:02x} in {line[:60]!r}; expected plain UTF-8; {REMEDY}'
    return None


def _row(number: int, text: str, columns: Columns) -> Row:
    """Read a line of a list."""
    expected = f'expected `{columns.expected}`'
    problem = _of_text(text, expected)
    if not problem and columns.delimiter == ' ' and '\t' in text:
        problem = f"got a tab in {text[:60]!r}; {expected}; put a space there, or set delimiter='\\t' in the dataset"
    if problem:
        return Row(number, text=text, problem=problem)
    try:
        parts = _split(text, columns)
    except csv.Error:
        problem = f'got a quote without its end in {text[:60]!r}; {expected}, a name with spaces in "double quotes"'
        return Row(number, text=text, problem=problem)
    counts = 1 + len(columns.counts)
    return _seen(Row(number, (parts[0],), tuple(parts[1:counts]), tuple(parts[counts:]), text))


def _of_text(text: str, expected: str) -> str:
    if not text:
        return f'got an empty line; {expected}; take the line out'
    if text.startswith('#'):
        return f'got the comment {text[:60]!r}; {expected}; comments are not known, take the line out'
    return ''


def _split(text: str, columns: Columns) -> list[str]:
    """Split a line of a list into its name and what follows."""
    if text.startswith('"'):
        return [part for part in _quoted(text, columns.delimiter or ' ') if part]
    words = text.split(columns.delimiter)
    if columns.delimiter != ' ' or columns.counts or len(words) == 1:
        return words
    # A name may have spaces: it ends with the last word that has the suffix of a file, else before the last word.
    ends = [place for place, word in enumerate(words, 1) if _SUFFIX.fullmatch(word)]
    if ends:
        return [' '.join(words[: ends[-1]]), *filter(None, words[ends[-1] :])]
    if len(words) > 2 and not columns.several and words[-2] and not words[-2].isdigit():
        return [' '.join(words[:-1]), words[-1]]
    return words


def _quoted(text: str, delimiter: str) -> list[str]:
    return [part.strip() for part in next(csv.reader([text], delimiter=delimiter, skipinitialspace=True, strict=True))]


def _seen(row: Row) -> Row:
    """Refuse names that cannot be any here."""
    name = row.names[0]
    problem = ''
    if not name:
        problem = f'got no name in {row.text[:60]!r}; expected the path of a sample first'
    elif os.sep == '/' and _WINDOWS.match(name):
        problem = f'got {name[:60]!r}, a path of Windows; expected one below data_root, such as folder/name.mp4'
    return Row(row.number, text=row.text, problem=problem) if problem else row


class _Table:
    """Rows of a csv file: where its columns are, and what its names of classes mean.

    Args:
        path: Path of the file.
        delimiter: Character between columns; a semicolon where the first line has that alone.
        columns: Meanings of the columns, in order.
        first: The first line.
    """

    def __init__(self, path: Path, delimiter: str, columns: Columns, first: str) -> None:
        self.delimiter = ';' if delimiter == ',' and ';' in first and ',' not in first else delimiter
        self.columns = columns
        self.path = path
        self.classes = _class_indices(path.with_name(CLASSES))
        names = [word.strip().strip('"').lower() for word in first.split(self.delimiter)]
        self.kinetics = {name: names.index(name) for name in KINETICS if name in names}
        self.name = next((names.index(each) for each in PATH_COLUMNS if each in names), None)
        self.label = next((names.index(each) for each in LABEL_COLUMNS if each in names), None)
        self.split = names.index('split') if 'split' in names else None
        self.header = len(self.kinetics) == len(KINETICS) or (self.name is not None and len(names) > 1)
        self.width = len(names)
        self._split_seen = ''

    def rows(self, texts: Sequence[str]) -> Iterator[Row]:
        """Yield what each line says, without the header."""
        for number, text in enumerate(texts, 1):
            if number == 1 and self.header:
                continue
            problem = _of_text(text, f'expected `{self._expected}`')
            yield Row(number, text=text, problem=problem) if problem else self._row(number, text)

    @property
    def _expected(self) -> str:
        return f'path{self.delimiter}label' if not self.header else 'the columns of the header'

    def _row(self, number: int, text: str) -> Row:
        try:
            fields = _quoted(text, self.delimiter)
        except csv.Error:
            problem = f'got a quote without its end in {text[:60]!r}; expected `{self._expected}`'
            return Row(number, text=text, problem=problem)
        if self.header and len(fields) != self.width:
            problem = (
                f'got {len(fields)} columns in {text[:60]!r}; expected {self.width}, as in the first line; a name with '
                f'{self.delimiter!r} stands in "double quotes"'
            )
            return Row(number, text=text, problem=problem)
        names, problem = self._names(fields)
        labels, wrong = self._labels(fields)
        problem = problem or self._of_split(fields) or wrong
        if problem:
            return Row(number, text=text, problem=problem)
        return _seen(Row(number, tuple(names), (), tuple(labels), text))

    def _names(self, fields: list[str]) -> tuple[list[str], str]:
        """Return where a row's video may lie."""
        if len(self.kinetics) < len(KINETICS):
            return [fields[self.name or 0 if self.header else 0]], ''
        name, *times = (fields[self.kinetics[key]] for key in KINETICS)
        try:
            start, end = (int(float(each)) for each in times)
        except ValueError:
            return [], f'got the times {", ".join(map(repr, times))}; expected seconds'
        clip = f'{name}_{start:06d}_{end:06d}.mp4'
        label = fields[self.label] if self.label is not None else ''
        folders = [f'{each}/{clip}' for each in dict.fromkeys((label, label.replace(' ', '_'))) if each]
        return [clip, *folders, f'{name}.mp4'], ''

    def _labels(self, fields: list[str]) -> tuple[list[str], str]:
        """Return a row's labels as class indices."""
        if self.header:
            given = [fields[self.label]] if self.label is not None else []
            if self.columns.several:
                given = [word for field in given for word in field.split()]
        else:
            given = fields[1:]
        given = [word for word in given if word]
        labels = [self._index(word) for word in given]
        if None not in labels:
            return [str(label) for label in labels], ''
        word = given[labels.index(None)]
        place = self.path.with_name(CLASSES)
        known = 'which has no such line' if self.classes else 'which is not there: write it, in the order of the labels'
        return [], f'got label {word[:40]!r}; expected a whole number, or a name from {place}, {known}'

    def _index(self, word: str) -> str | int | None:
        if re.fullmatch(r'[-+]?\d+(\.\d*)?', word):  # whether it fits is said where the classes are known
            return word
        return self.classes.get(_plain(word), None if self.header or self.classes else word)

    def _of_split(self, fields: list[str]) -> str:
        if not self.header or self.split is None:
            return ''
        self._split_seen = self._split_seen or fields[self.split]
        if fields[self.split] == self._split_seen:
            return ''
        return f'got split {fields[self.split]!r} after {self._split_seen!r}; expected one file for each split'


def _class_indices(path: Path) -> dict[str, int]:
    """Return the place of each name in a file of class names; nothing where it is not there."""
    try:
        names = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {_plain(name): place for place, name in enumerate(name for name in names if name.strip())}


def _plain(name: str) -> str:
    return ' '.join(name.replace('_', ' ').split()).lower()
