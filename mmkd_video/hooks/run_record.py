"""What a work_dir was made by: ``mmkd_run.json``."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from mmkd_video.hooks.atomic_file import write_atomically

FILE_NAME = 'mmkd_run.json'
SHOWN = 5


def flatten(value: Any, prefix: str = '') -> dict[str, Any]:
    """Return the leaves of nested dicts and lists under dotted keys (``terms.0.weight``).

    Args:
        value: A config, or a part of one. Tuples count as lists; what JSON cannot hold is written as text.
        prefix: The dotted key of ``value``.

    Returns:
        Leaf values by dotted key; an empty dict or list is a leaf.
    """
    if isinstance(value, dict) and value:
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, (list, tuple)) and value:
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        return {prefix: _plain(value)}
    leaves: dict[str, Any] = {}
    for key, item in items:
        leaves.update(flatten(item, f'{prefix}.{key}' if prefix else key))
    return leaves


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {}
    if isinstance(value, (list, tuple)):
        return []
    # The repr of a class or a function may hold an address, which differs from run to run.
    return f'{value.__module__}.{value.__qualname__}' if hasattr(value, '__qualname__') else str(value)


def fingerprint(leaves: dict[str, Any]) -> str:
    """Return a hash of a flattened config that does not depend on the order of its keys."""
    return hashlib.sha256(json.dumps(leaves, sort_keys=True).encode()).hexdigest()


def check_run_record(work_dir: Path, model: dict, has_checkpoints: bool) -> None:
    """Refuse a work_dir whose checkpoints come from another model config, else note this one's.

    Args:
        work_dir: The run's folder.
        model: The resolved ``cfg.model``.
        has_checkpoints: Whether the run's folders hold checkpoints; without any, another config may move in.

    Raises:
        ValueError: The folder holds checkpoints of another model config.
    """
    leaves = flatten(model)
    record = _read(work_dir / FILE_NAME)
    if record is not None and record['fingerprint'] == fingerprint(leaves):
        return
    if record is not None and has_checkpoints:
        raise ValueError(
            f'{work_dir} holds checkpoints of another model config:\n{_difference(record["model"], leaves)}\n'
            'Choose another --work-dir, or use the config that the folder was made with '
            f'(to give up its checkpoints, delete them and {FILE_NAME}).'
        )
    content = json.dumps(dict(fingerprint=fingerprint(leaves), model=leaves), indent=1, sort_keys=True)
    write_atomically(content.encode(), work_dir / FILE_NAME)


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text())
        return dict(fingerprint=record['fingerprint'], model=dict(record['model']))
    except (ValueError, KeyError, TypeError) as error:
        print_log(f'{path} is no run record ({error!r}); it is written anew.', 'current', logging.WARNING)
        return None


def _difference(expected: dict[str, Any], got: dict[str, Any]) -> str:
    missing = '(not set)'
    keys = [key for key in sorted({*expected, *got}) if expected.get(key, missing) != got.get(key, missing)]
    lines = [f'  model.{k}: got {got.get(k, missing)!r}, expected {expected.get(k, missing)!r}' for k in keys[:SHOWN]]
    if len(keys) > SHOWN:
        lines.append(f'  and {len(keys) - SHOWN} more')
    return '\n'.join(lines)
