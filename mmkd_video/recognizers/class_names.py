"""The class names that belong to a config."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.recognizers.pipelines import innermost_dataset

FILE = 'classes.txt'


def class_names(config: Config, num_classes: int) -> tuple[str, ...] | None:
    """Find the class names.

    In this order: ``classes`` of the config or of the test data set's ``metainfo``, a list; ``label_map`` of the
    config, a file with a name on each line, as MMAction2 has them; a file ``classes.txt`` in the data set's folder.

    Args:
        config: Config with ``test_dataloader``.
        num_classes: Number of classes of the model.

    Returns:
        The names in the order of the labels; None where there are none.

    Raises:
        FileNotFoundError: The ``label_map`` does not exist.
        ValueError: The config gives another number of names than the model has classes.
    """
    given, where = _given(config)
    if given is not None:
        if len(given) != num_classes:
            raise WrongValueError(
                f'{where} holds {len(given)} names, but the model has {num_classes} classes; correct one of them'
            )
        return tuple(map(str, given))
    for folder in _folders(config):
        names = _read(folder / FILE) if (folder / FILE).is_file() else ()
        if len(names) == num_classes:
            return tuple(names)
    return None


def _given(config: Config) -> tuple[Sequence[str] | None, str]:
    if config.get('classes') is not None:
        return config.classes, 'classes'
    dataset = innermost_dataset(config.get('test_dataloader'))
    if (dataset.get('metainfo') or {}).get('classes') is not None:
        return dataset['metainfo']['classes'], 'test_dataloader.dataset.metainfo.classes'
    if config.get('label_map') is not None:
        path = Path(config.label_map)
        if not path.is_file():
            raise MissingFileError(f'label_map: {str(path)!r} does not exist; expected a file with a name on each line')
        return _read(path), f'label_map {path}'
    return None, ''


def _read(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def _folders(config: Config) -> list[Path]:
    """Return where a file of names may be: never in the working directory, unless the test clips are listed there."""
    dataset = innermost_dataset(config.get('test_dataloader'))
    root, listed = dataset.get('data_root') or '', dataset.get('ann_file') or ''
    folders = [Path(root)] if root else []
    beside = (Path(root) / listed).parent
    if listed and (beside != Path() or (Path(root) / listed).is_file()):
        folders.append(beside)
    return folders
