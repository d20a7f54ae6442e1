"""Configs of recognizers: read from a file, changed from a command line, checked."""

import copy
import difflib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config

from mmkd_video.compat import own_configs
from mmkd_video.core.mistakes import MissingFileError, WrongKeyError, WrongValueError, name_of_kind
from mmkd_video.recognizers.budget import set_epochs_from_budget
from mmkd_video.recognizers.class_folders import use_class_folder
from mmkd_video.recognizers.config_keys import check_config
from mmkd_video.recognizers.families import INPUT_KINDS, NO_RECOGNIZERS
from mmkd_video.recognizers.libraries import is_library_model, read_library_model
from mmkd_video.recognizers.plain_student import DISTILLERS

SHIPPED = 'configs'
SUFFIXES = ('.py', '.json', '.yml', '.yaml')


def load_config(path: str | Path, key: str = 'config') -> Config:
    """Read a config file.

    Args:
        path: Path of the file, or ``'mmaction::...'``, or ``'mmkd_video::...'`` for a config that comes with this
            package. A relative path that begins with ``configs/`` and leads nowhere means that one too. Or a model of
            another library, ``'hf::<folder>'``.
        key: Name of the setting in errors.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no config.
    """
    if is_library_model(str(path)):
        return read_library_model(str(path), key)
    if '::' in str(path) and not str(path).startswith(own_configs.PREFIX):
        with _named(path):
            return get_config(str(path))
    file = _found(str(path), key)
    if not file.is_file():
        raise MissingFileError(
            f"{key}: got {str(path)!r}; expected the path of a config, or 'mmaction::...'; there is no such file"
            f'{_shipped_hint(file.name)}'
        )
    if file.suffix not in SUFFIXES:
        raise WrongValueError(f'{key}: got {str(path)!r}; expected a file that ends in {", ".join(SUFFIXES)}')
    with _named(path):
        config = Config.fromfile(str(file))
    if _reads_class_folder(config) and use_class_folder():
        with _named(path):
            return Config.fromfile(str(file))
    return config


def shipped_configs(folder: str) -> list[str]:
    """Return the paths of configs that come with this package, as :func:`load_config` takes them anywhere.

    Args:
        folder: Name of a folder of ``configs/``.
    """
    return [f'{SHIPPED}/{name}' for name in own_configs.shipped_names() if name.startswith(f'{folder}/')]


def _found(path: str, key: str) -> Path:
    """Return where a config lies: outside the clone, ``configs/...`` is among those that came with the package."""
    if path.startswith(own_configs.PREFIX):
        try:
            return own_configs.shipped_config(path.removeprefix(own_configs.PREFIX))
        except FileNotFoundError as error:
            raise MissingFileError(f'{key}: got {error}') from error
    file = Path(path)
    if file.is_file() or file.is_absolute() or file.parts[:1] != (SHIPPED,):
        return file
    shipped = own_configs.configs_folder().joinpath(*file.parts[1:])
    return shipped if shipped.is_file() else file


def _shipped_hint(name: str) -> str:
    same = [each for each in own_configs.shipped_names() if Path(each).name == name]
    return f'; with this package comes {own_configs.PREFIX}{same[0]}' if same else ''


def _reads_class_folder(config: Config) -> bool:
    """Whether a config's training videos lie in the folder that the environment names."""
    return config.get('data_root') is not None and config.get('data_root') == os.environ.get('CLIPS')


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    """Add the path of the config to any error while it is read."""
    try:
        yield
    except FileNotFoundError as error:  # a base
        raise MissingFileError(f'{path}: {error}') from error
    except Exception as error:  # a Python file may raise anything
        said = ' '.join(str(error).split())
        raise WrongValueError(
            f'{path}: got {name_of_kind(error)}: {said}; expected a config that can be read'
        ) from error


def resolve_config(config: str | Mapping) -> tuple[dict, Config | None]:
    """Find the model config behind a teacher's ``config``.

    Args:
        config: Path, ``'mmaction::recognition/...'``, ``'hf::...'``, ``dict(source='hf::...')``, a whole config, or the
            dict of a model alone.

    Returns:
        The model's dict and the whole config; None where only a model was given.

    Raises:
        FileNotFoundError: The path does not exist.
        ValueError: There is no model in it.
    """
    whole: Config | None = None
    if isinstance(config, str):
        whole = load_config(config, 'teacher.config')
    elif is_library_model(config):
        whole = read_library_model(config)
    elif isinstance(config, (Mapping, Config)) and 'model' in config:
        whole = config if isinstance(config, Config) else Config(dict(config))
    elif not (isinstance(config, Mapping) and 'type' in config):
        raise WrongValueError(
            f"teacher.config: got {config!r}; expected a path, 'mmaction::recognition/...', "
            "'hf::...' or dict(type='Recognizer3D', ...)"
        )
    model = config if whole is None else whole.get('model')
    if model is None:
        raise WrongValueError(f"teacher.config: {config!r} holds no 'model'")
    if model.get('type') in DISTILLERS:  # a distilled student teaches the next one
        model = model['student']
    return copy.deepcopy(dict(model)), whole


def expect_recognizer(model: Mapping, side: str) -> None:
    """Refuse models of MMAction2 that do not score whole clips, before they are built.

    Args:
        model: The model's config.
        side: ``'student'`` or the teacher's name.

    Raises:
        ValueError: It is a localizer, a detector or alike.
    """
    kind = model.get('type')
    name = kind.rpartition('.')[2] if isinstance(kind, str) else getattr(kind, '__name__', '')
    if name in NO_RECOGNIZERS:
        raise WrongValueError(
            f'{side}: got {name}, {NO_RECOGNIZERS[name]}; expected a recognizer, which scores whole clips: '
            f'{", ".join(INPUT_KINDS)}'
        )


def read_config(path: str, options: Mapping[str, Any] | None = None, with_budget: bool = True) -> Config:
    """Read a config and merge the options of the command line.

    Args:
        path: Path of the config, ``'mmaction::recognition/...'`` or ``'mmkd_video::...'``.
        options: Settings by dotted key.
        with_budget: Whether ``budget`` becomes a number of epochs; not where more is merged later.

    Raises:
        FileNotFoundError: There is no such file.
        KeyError: The config has no place for an option.
        ValueError: It is no config, or holds an invalid setting.
    """
    config = load_config(path)
    merge_cfg_options(config, options)
    check_config(config)
    if with_budget:
        set_epochs_from_budget(config)
    return config


def merge_cfg_options(config: Config, options: Mapping[str, Any] | None) -> None:
    """Merge the options of the command line into a config.

    A number, a word or None is replaced by a dict with a ``type``, such as a schedule: as a whole, or key by key.

    Args:
        config: Config, which is changed.
        options: Settings by dotted key; a number in a key is the place in a list.

    Raises:
        KeyError: The config has no place for an option.
    """
    for key, value in (options or {}).items():
        first, *rest = key.split('.')
        near = [] if first in config else difflib.get_close_matches(first, list(config), 1, cutoff=0.85)
        if near:
            raise WrongKeyError(f'--cfg-options {key}: the config has no {first!r}; did you mean {near[0]!r}?')
        config[first] = _with(config.get(first), rest, value, first, options)


def _with(node: Any, parts: list[str], value: Any, key: str, options: Mapping[str, Any]) -> Any:
    """Return a copy of settings with one value replaced; ``key`` is where they are, ``parts`` the path below."""
    if not parts:
        return _merged(node, value)
    part, rest = parts[0], parts[1:]
    if isinstance(node, (list, tuple)):
        if not part.isdecimal() or int(part) >= len(node):
            known = f'0 to {len(node) - 1}' if node else 'none, as the list is empty'
            raise WrongKeyError(f'--cfg-options {key}.{part}: got {part!r} as a place in a list; expected {known}')
        items = list(node)
        items[int(part)] = _with(items[int(part)], rest, value, f'{key}.{part}', options)
        return type(node)(items)
    if node is not None and not isinstance(node, Mapping):
        if f'{key}.type' not in options:
            raise WrongKeyError(
                f'--cfg-options {key}.{part}: {key} is {node!r}, which has no keys; to put a schedule or alike there, '
                f'give its type too ({key}.type=Linear)'
            )
        node = None
    changed = ConfigDict() if node is None else copy.copy(node)
    changed[part] = _with(changed.get(part), rest, value, f'{key}.{part}', options)
    return changed


def _merged(old: Any, value: Any) -> Any:
    """Return a value merged into an old one: dicts as ``_base_`` merges them, anything else replaces the old value."""
    if not isinstance(value, Mapping):
        return ConfigDict(value=value).value  # with every dict in it a ConfigDict
    settings = {key: item for key, item in value.items() if key != '_delete_'}
    if not isinstance(old, Mapping) or value.get('_delete_'):
        return ConfigDict(settings)
    changed = copy.copy(old)
    for key, item in settings.items():
        changed[key] = _merged(changed.get(key), item)
    return changed


def to_arguments(options: Mapping[str, Any], prefix: str = '') -> list[str]:
    """Write nested settings as ``key=value`` arguments that ``--cfg-options`` reads back.

    Args:
        options: Nested dicts of plain values and lists.
        prefix: The dotted key of ``options``.
    """
    arguments = []
    for key, value in options.items():
        if isinstance(value, Mapping):
            arguments += to_arguments(value, f'{prefix}{key}.')
        else:
            arguments.append(f'{prefix}{key}={_text(value)}')
    return arguments


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
        return repr(ConfigDict(value=value).to_dict()['value'])
    if isinstance(value, (list, tuple)):
        inner = ','.join(map(_text, value))
        return f'[{inner}]' if isinstance(value, list) else f'({inner})'
    return str(value)
