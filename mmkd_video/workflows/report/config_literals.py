"""The config that a run has dumped, read without executing it."""

import ast
from pathlib import Path
from typing import Any

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.workflows.train.run_folder import CONFIG

LARGEST = 1 << 20  # characters of a config that are read at all
DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, SyntaxError, RecursionError, MemoryError)
"""What a file may raise that is no such config."""


def dumped_config(run: Path) -> Path:
    """Return the path of a run's whole config: that of compare, or MMEngine's copy beside the newest log.

    Args:
        run: Folder of the run.
    """
    copies = sorted(run.glob(f'*/vis_data/{CONFIG}'))
    return run / CONFIG if (run / CONFIG).is_file() or not copies else copies[-1]


def read_literals(path: Path) -> dict[str, Any]:
    """Read a config that a tool has dumped: names, literals and ``dict(...)``; nothing in it is executed.

    Args:
        path: Path of the file.

    Returns:
        What could be read; a value that is anything else is left out.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too long, or no Python.
    """
    with open(path, encoding='utf-8') as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise WrongValueError(f'{path}: longer than {LARGEST} characters; expected a config')
    found = {}
    for line in ast.parse(text).body:
        if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
            value = _literal(line.value)
            if value is not None:
                found[line.targets[0].id] = value
    return found


def _literal(node: ast.expr) -> Any:
    """Return what an expression says; None for what is no literal."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(each) for each in node.elts]
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {key.value: _literal(value) for key, value in pairs if isinstance(key, ast.Constant)}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
        return {keyword.arg: _literal(keyword.value) for keyword in node.keywords if keyword.arg}
    return None
