"""The record of the config that a work_dir was made by: ``mmkd_run.json``."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.digest import sha256_of_settings
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.plain_data import Anything, Table, read_json

FILE_NAME = 'mmkd_run.json'
SHOWN = 5
DECIDING = ('model', 'train_dataloader', 'optim_wrapper', 'param_scheduler', 'randomness')
LOADING = (
    'num_workers',
    'persistent_workers',
    'pin_memory',
    'pin_memory_device',
    'prefetch_factor',
    'timeout',
    'multiprocessing_context',
    'in_order',
)


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
    return sha256_of_settings(leaves)


def deciding_settings(config: Mapping) -> dict[str, Any]:
    """Return the settings of a config that determine the weights, beside the length of training, flattened.

    How samples get to the model (workers, pinned memory) and what is written where is left out.

    Args:
        config: The whole config.

    Returns:
        Leaves of the model, the training data, the optimizer, the schedules and the seed, by dotted key.
    """
    leaves: dict[str, Any] = {}
    for key in DECIDING:
        value = config.get(key)
        if not isinstance(value, (dict, list, tuple)):  # an object: what it was built from is not known
            continue
        if key == 'train_dataloader':
            value = {name: item for name, item in value.items() if name not in LOADING}
        leaves.update(flatten(value, key))
    # One tool spells out what is off, another leaves it out.
    return {key: value for key, value in leaves.items() if not (key.startswith('randomness') and _is_off(value))}


def check_run_record(work_dir: Path, config: Mapping, has_checkpoints: bool) -> None:
    """Refuse a work_dir whose checkpoints come from another config, else record this one.

    The length of the training may change.

    Args:
        work_dir: The run's folder.
        config: The resolved config.
        has_checkpoints: Whether the run's folders hold checkpoints; without any, another config may move in.

    Raises:
        ValueError: The folder holds checkpoints of another model, or of another training of it.
    """
    leaves = deciding_settings(config)
    record = _read(work_dir / FILE_NAME)
    if record == leaves:
        return
    if record is not None and has_checkpoints:
        of_model = [{k: v for k, v in each.items() if _is_of_model(k)} for each in (record, leaves)]
        kind = 'training' if of_model[0] == of_model[1] else 'model'
        raise WrongValueError(
            f'{work_dir} holds checkpoints of another {kind} config:\n{difference(record, leaves)}\n'
            'Choose another --work-dir, or use the config that the folder was made with '
            f'(to give up its checkpoints, delete them and {FILE_NAME}; to go on with them nevertheless, {FILE_NAME} '
            'alone).'
        )
    model = {key.removeprefix('model.'): value for key, value in leaves.items() if _is_of_model(key)}
    training = {key: value for key, value in leaves.items() if not _is_of_model(key)}
    record = dict(fingerprint=fingerprint(leaves), model=model, training=training)
    write_atomically(json.dumps(record, indent=1, sort_keys=True).encode(), work_dir / FILE_NAME)


def _is_off(value: Any) -> bool:
    return value is None or value is False or value == {}


def _is_of_model(key: str) -> bool:
    return key.split('.')[0] == 'model'


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        record = read_json(path.read_bytes(), Table(Anything(1_000_000), most=10), str(path))
        return {f'model.{key}': value for key, value in record['model'].items()} | dict(record['training'])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        print_log(f'{path} is no run record ({error!r}); it is written anew.', 'current', logging.WARNING)
        return None


def difference(expected: dict[str, Any], got: dict[str, Any]) -> str:
    """Return the differences between two flattened configs, one key a line, a few keys at most.

    Args:
        expected: The one that was there first.
        got: The one of now.
    """
    missing = '(not set)'
    keys = [key for key in sorted({*expected, *got}) if expected.get(key, missing) != got.get(key, missing)]
    lines = [f'  {k}: got {got.get(k, missing)!r}, expected {expected.get(k, missing)!r}' for k in keys[:SHOWN]]
    if len(keys) > SHOWN:
        lines.append(f'  and {len(keys) - SHOWN} more')
    return '\n'.join(lines)
