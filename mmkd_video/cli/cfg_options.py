"""``--cfg-options`` in both directions."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.hub import get_config


def add_cfg_options(parser: ArgumentParser) -> None:
    """Add MMAction2's ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='settings that replace those of the config: a.b=1, list="[a,b]" (quoted, without spaces)',
    )


def read_config(path: str, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config and merge what the command line gives.

    Args:
        path: Of the config, or ``'mmaction::recognition/...'``.
        options: By dotted key.

    Raises:
        FileNotFoundError: There is no such file.
    """
    config = get_config(path) if '::' in path else Config.fromfile(path)
    if options:
        config.merge_from_dict(dict(options))
    return config


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
    if isinstance(value, (list, tuple)):
        inner = ','.join(map(_text, value))
        return f'[{inner}]' if isinstance(value, list) else f'({inner})'
    return str(value)
