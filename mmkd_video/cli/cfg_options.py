"""``--cfg-options`` in both directions."""

import copy
import difflib
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config, ConfigDict

from mmkd_video.cli.option_values import OptionAction
from mmkd_video.recognizers.budget import settle_budget
from mmkd_video.recognizers.config_keys import check_config, load_config


def add_cfg_options(parser: ArgumentParser) -> None:
    """Add MMAction2's ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionAction,
        metavar='KEY=VALUE',
        help='settings that replace those of the config: a.b=1, list="[a,b]" (quoted, without spaces), '
        'a.0.b=1 for an item of a list, a="[dict(type=\'X\', b=1)]"',
    )


def read_config(path: str, options: Mapping[str, Any] | None = None, settle: bool = True) -> Config:
    """Read a config and merge what the command line gives.

    Args:
        path: Of the config, or ``'mmaction::recognition/...'``.
        options: By dotted key.
        settle: Whether ``budget`` becomes a number of epochs; not where more is merged later.

    Raises:
        FileNotFoundError: There is no such file.
        KeyError: The config has no place for an option.
        ValueError: It is no config, or holds what cannot be meant.
    """
    config = load_config(path)
    merge_cfg_options(config, options)
    check_config(config)
    if settle:
        settle_budget(config)
    return config


def merge_cfg_options(config: Config, options: Mapping[str, Any] | None) -> None:
    """Merge what the command line gives into a config.

    A number, a word or None gives way to a dict that says its type, such as a schedule: whole, or key by key.

    Args:
        config: It is changed.
        options: By dotted key; a number in a key is the place in a list.

    Raises:
        KeyError: The config has no place for an option.
    """
    for key, value in (options or {}).items():
        first, *rest = key.split('.')
        near = [] if first in config else difflib.get_close_matches(first, list(config), 1, cutoff=0.85)
        if near:
            raise KeyError(f'--cfg-options {key}: the config has no {first!r}; did you mean {near[0]!r}?')
        config[first] = _with(config.get(first), rest, value, first, options)


def _with(node: Any, parts: list[str], value: Any, key: str, options: Mapping[str, Any]) -> Any:
    """Return a copy of settings in which one is another; ``key`` is where the settings are, ``parts`` lead on."""
    if not parts:
        return _merged(node, value)
    part, rest = parts[0], parts[1:]
    if isinstance(node, (list, tuple)):
        if not part.isdecimal() or int(part) >= len(node):
            known = f'0 to {len(node) - 1}' if node else 'none, as the list is empty'
            raise KeyError(f'--cfg-options {key}.{part}: got {part!r} as a place in a list; expected {known}')
        items = list(node)
        items[int(part)] = _with(items[int(part)], rest, value, f'{key}.{part}', options)
        return type(node)(items)
    if node is not None and not isinstance(node, Mapping):
        if f'{key}.type' not in options:
            raise KeyError(
                f'--cfg-options {key}.{part}: {key} is {node!r}, which has no keys; to put a schedule or alike there, '
                f'give its type too ({key}.type=Linear)'
            )
        node = None
    changed = ConfigDict() if node is None else copy.copy(node)
    changed[part] = _with(changed.get(part), rest, value, f'{key}.{part}', options)
    return changed


def _merged(old: Any, value: Any) -> Any:
    """Return a value that comes to another: dicts are merged, as ``_base_`` does it, anything else is replaced."""
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
