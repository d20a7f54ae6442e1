"""Folders of videos by class, without any list: the classes are the folders, and a split is drawn and written."""

import hashlib
import json
import os
import shlex
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from mmengine.logging import print_log

from mmkd_video.compat.annotation_rows import CLASSES, Columns, read_rows
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.plain_data import Anything, Table, read_json
from mmkd_video.recognizers.group_split import SIDES, draw_split, group_names

VIDEOS = ('.mp4', '.avi', '.mkv', '.mov', '.webm', '.m4v', '.mpg', '.mpeg', '.wmv', '.flv', '.3gp', '.ts')
SIDE_FOLDERS = {
    'train': ('train', 'training'),
    'val': ('val', 'valid', 'validation', 'dev'),
    'test': ('test', 'testing'),
}
ROOT, COUNT, SEED = 'CLIPS', 'CLASSES', 'SPLIT_SEED'  # of the environment, which configs/*_folder.py read
ELSEWHERE = Path('work_dirs', 'splits')
NOTE = 'split.json'
_BREAKING = ('Cc', 'Cs', 'Zl', 'Zp')  # control characters, bytes that are no UTF-8, separators of lines
LEAST = len(SIDES)  # videos of a class, one for each side
Found = dict[str, dict[str, list[str]]]  # videos by side ('' for all) and class, relative to the root


def use_class_folder() -> bool:
    """Let ``CLIPS`` and ``CLASSES`` of the environment name lists and a number of classes, where a user gave a folder.

    Both are set for this process and all that it starts, so that teacher and student read the same.

    Returns:
        Whether one of them was changed, so that what was read before is to be read again.

    Raises:
        FileNotFoundError: ``CLIPS`` does not exist.
        ValueError: It holds neither lists nor folders of videos, or other classes than ``CLASSES``.
    """
    root = Path(os.environ['CLIPS'])
    if not root.is_dir():
        raise MissingFileError(f'{ROOT}: got {str(root)!r}; expected the folder of your videos; there is none')
    lists = folder_of_lists(root, os.environ.get('SPLIT_SEED', '0'))
    names = _names(lists / CLASSES)
    given = os.environ.get('CLASSES')
    if lists != root and given is not None and given != str(len(names)):
        raise WrongValueError(f'{COUNT}: got {given!r}; {root} has {len(names)} folders of videos; leave {COUNT} out')
    same = os.environ['CLIPS'] == str(lists) and (given is not None or not names)
    os.environ['CLIPS'] = str(lists)
    if names:
        os.environ['CLASSES'] = given or str(len(names))
    return not same


def folder_of_lists(root: Path, seed: str = '0') -> Path:
    """Return the folder whose ``train.txt``, ``val.txt`` and ``test.txt`` list a folder's videos.

    That is the folder itself, where it has ``train.txt``. Else a split is drawn once, and written beside the folder,
    never into it; where that place cannot be written to, below ``work_dirs``. A line says where.

    Args:
        root: Folder with lists, with a folder of videos for each class, or with these in ``train``, ``val``, ``test``.
        seed: Whole number, as text, that decides which videos are on which side.

    Raises:
        ValueError: The folder holds none of these, or a class has too few videos.
    """
    if (root / 'train.txt').is_file():
        return root
    if not seed.isdecimal():
        raise WrongValueError(f'{SEED}: got {seed!r}; expected a whole number from 0')
    found = _scan(root)
    whole = root.resolve()
    beside = whole.parent / f'{whole.name}_split{seed}'
    elsewhere = ELSEWHERE / f'{whole.name}_{hashlib.sha256(str(whole).encode()).hexdigest()[:8]}_split{seed}'
    for lists in (beside, elsewhere):
        if (lists / 'train.txt').is_file() and _reads(lists, whole):
            _tell_unlisted(lists, whole, found)
            return lists if os.path.isabs(root) else Path(os.path.relpath(lists))
    ours = not beside.exists() or (beside / NOTE).is_file()
    lists = beside if ours and os.access(whole.parent, os.W_OK) else elsewhere
    _write(lists, whole, found, int(seed))
    return lists if os.path.isabs(root) else Path(os.path.relpath(lists))


def _scan(root: Path) -> Found:
    """Find the videos of each class."""
    folders = sorted(each.name for each in root.iterdir() if each.is_dir() and not each.name.startswith('.'))
    sides = {side: name for side, names in SIDE_FOLDERS.items() for name in folders if name.lower() in names}
    if 'train' in sides and len(sides) == len(folders) > 1:
        found = {side: _classes(root, root / name) for side, name in sides.items()}
    else:
        found = {'': _classes(root, root)}
    classes = found.get('', found.get('train', {}))
    unknown = sorted({name for each in found.values() for name in each} - set(classes))
    if unknown:
        raise WrongValueError(f'{root}: class {unknown[0]!r} has no videos in {sides["train"]}; expected all classes')
    if len(classes) < 2:
        raise WrongValueError(
            f'{root}: got {len(classes)} folders of videos; expected train.txt, or a folder for each of at least 2 '
            f'classes, with videos ({", ".join(VIDEOS)})'
        )
    return found


def _classes(root: Path, folder: Path) -> dict[str, list[str]]:
    found = {}
    for each in sorted(folder.iterdir()):
        if each.is_dir() and not each.name.startswith('.'):
            files = [path for path in each.rglob('*') if path.suffix.lower() in VIDEOS and path.is_file()]
            names = sorted(path.relative_to(root).as_posix() for path in files if not path.name.startswith('.'))
            _expect_one_line(root, names)
            found.update({each.name: names} if names else {})
    return found


def _expect_one_line(root: Path, names: list[str]) -> None:
    """Refuse names that a line of UTF-8 text cannot hold: a list would say something else."""
    for name in names:
        if any(unicodedata.category(each) in _BREAKING for each in name):
            raise WrongValueError(
                f'{root}: got the name {name!r}; expected UTF-8 without tabs, line breaks and control characters; '
                'rename it'
            )


def _write(lists: Path, root: Path, found: Found, seed: int) -> None:
    """Draw what is not given, and write the lists; ``train.txt`` last, because that is what others look for."""
    drawn = '' if '' in found else 'train'
    videos = {video: name for name, each in found[drawn].items() for video in each}
    open_sides = [side for side in SIDES if side == 'train' or side not in found]
    rule, sides = 'as the folders are', dict.fromkeys(videos, 'train')
    if len(open_sides) > 1:
        few = sorted((len(each), name) for name, each in found[drawn].items())[0]
        if few[0] < LEAST:
            raise WrongValueError(
                f'{root}: class {few[1]!r} has {few[0]} videos; expected at least {LEAST}, one for each of '
                f'{", ".join(SIDES)}'
            )
        rule, groups = group_names(videos)
        sides = draw_split(videos, groups, seed, open_sides)
    given = {
        video: (side, name) for side, each in found.items() if side != drawn for name in each for video in each[name]
    }
    placed = {**{video: (sides[video], name) for video, name in videos.items()}, **given}
    classes = list(found[drawn])
    start = root if ELSEWHERE in lists.parents else os.path.relpath(root, lists)
    chosen = {side: sorted((video, name) for video, (place, name) in placed.items() if place == side) for side in SIDES}
    counts = {side: len(each) for side, each in chosen.items()}
    note = dict(seed=seed, videos=str(root), groups=rule, counts=counts)
    write_atomically(json.dumps(note, indent=2).encode(), lists / NOTE)
    write_atomically(''.join(f'{name}\n' for name in classes).encode(), lists / CLASSES)
    for side in reversed(SIDES):
        lines = [f'{_written(os.path.join(start, video))} {classes.index(name)}\n' for video, name in chosen[side]]
        write_atomically(''.join(lines).encode(), lists / f'{side}.txt')
    _tell_drawn(lists, root, counts, rule, classes, placed)


def _tell_drawn(
    lists: Path, root: Path, counts: Mapping[str, int], rule: str, classes: list[str], placed: Mapping
) -> None:
    sizes = ', '.join(f'{counts[side]} {side}' for side in SIDES)
    settings = f'{ROOT}={shlex.quote(str(lists))} {COUNT}={len(classes)}'
    print_log(
        f'{root}: {len(placed)} videos of {len(classes)} classes, split into {sizes} ({rule}); written to '
        f'{lists}, nothing into the folder itself. {SEED}=1 draws another; for other tools: {settings}',
        logger=None,
    )
    there = set(placed.values())
    missing = [f'{name} in {side}' for side in SIDES for name in classes if (side, name) not in there]
    if missing:
        print_log(f'{lists}: no videos of {", ".join(missing)}; groups of clips were kept together', logger=None)


def _tell_unlisted(lists: Path, root: Path, found: Found) -> None:
    listed: set[Path] = set()
    for side in SIDES:
        if (lists / f'{side}.txt').is_file():
            rows = read_rows(lists / f'{side}.txt', Columns())
            listed |= {Path(os.path.normpath(lists / row.names[0])) for row in rows if row.names}
    there = {root / video for each in found.values() for videos in each.values() for video in videos}
    new = sorted(there - {Path(os.path.realpath(path.parent), path.name) for path in listed} - listed)
    if new:
        print_log(
            f'{root}: {len(new)} videos are in no list of {lists}, such as {new[0]}; remove that folder to split anew',
            logger=None,
        )


def _reads(lists: Path, root: Path) -> bool:
    """Whether lists that are there were made of this folder, or by hand."""
    try:
        note = read_json((lists / NOTE).read_bytes(), Table(Anything(), most=20), NOTE)
        return note.get('videos') == str(root)
    except (OSError, ValueError):
        return ELSEWHERE not in lists.parents


def _written(name: str) -> str:
    """Write a name as an annotation file needs it."""
    return '"' + name.replace('"', '""') + '"' if set(name) & set(' "') else name


def _names(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.strip()] if path.is_file() else []
