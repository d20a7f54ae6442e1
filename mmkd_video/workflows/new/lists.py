"""Lists of clips in a user's folder, found for the loaders of a config."""

from collections.abc import Mapping
from pathlib import Path

from mmkd_video.core.mistakes import MissingFileError
from mmkd_video.recognizers.pipelines import innermost_dataset

SPLITS = {'train': ('train',), 'val': ('val', 'test'), 'test': ('test', 'val')}


def find_lists(config: Mapping, data_root: str | Path) -> dict[str, dict]:
    """Say for each loader of a config which list of a folder it reads, and below which folder the clips lie.

    A list may bear the name that the config gives it, or be ``train.txt``, ``val.txt`` or ``test.txt``; without a list
    for validation, that for the test serves, and the other way round.

    Args:
        config: The student's config.
        data_root: Folder of the lists.

    Returns:
        Settings of a data set by name of the loader, such as ``train_dataloader``.

    Raises:
        FileNotFoundError: There is no list for the training, or its first clip is nowhere below the folder.
    """
    root, found = Path(data_root), {}
    for split, others in SPLITS.items():
        loader = f'{split}_dataloader'
        if config.get(loader) is None:
            continue
        named = Path(innermost_dataset(config[loader]).get('ann_file') or '').name
        names = [name for name in (named, *(f'{other}.txt' for other in others)) if name]
        ann_file = next((name for name in names if (root / name).is_file()), None)
        if ann_file is None:
            raise MissingFileError(
                f'--data-root: got {str(data_root)!r}, which holds none of {", ".join(dict.fromkeys(names))}; expected '
                'a list of clips for each split, one <file> <label> a line'
            )
        found[loader] = dict(
            data_root=str(data_root), ann_file=ann_file, data_prefix=dict(video=_prefix(root, ann_file))
        )
    return found


def count_classes(list_file: Path) -> int | None:
    """Return one more than the largest label of a list, one ``<file> <label>`` a line; None where there is none.

    Args:
        list_file: The list.
    """
    labels = [line.rpartition(' ')[2] for line in _lines(list_file)]
    return max((int(label) for label in labels if label.isdecimal()), default=-1) + 1 or None


def _lines(list_file: Path) -> list[str]:
    lines = list_file.read_text(encoding='utf-8-sig', errors='replace').splitlines()
    return [line.strip() for line in lines if line.strip()]


def _prefix(root: Path, ann_file: str) -> str:
    first = next(iter(_lines(root / ann_file)), '')
    clip = first.rpartition(' ')[0] or first
    folders = ('', *sorted(path.name for path in root.iterdir() if path.is_dir()))
    for folder in folders:
        if (root / folder / clip).is_file():
            return folder
    raise MissingFileError(
        f'{root / ann_file}: the first clip, {clip!r}, lies neither in {root} nor in a folder of it; expected the list '
        'to name files below one of these'
    )
