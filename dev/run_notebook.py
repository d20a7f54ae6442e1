"""Run the cells of a notebook without Jupyter, and keep what they print and show: ``python -m dev.run_notebook``."""

import argparse
import ast
import base64
import contextlib
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmkd_video.core.files.atomic import write_atomically


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a notebook in a folder."""
    parser = argparse.ArgumentParser(prog='python -m dev.run_notebook', description='Run the cells of a notebook.')
    parser.add_argument('notebook', type=Path)
    parser.add_argument('--folder', type=Path, help='folder to run it in; this one by default')
    parser.add_argument('--record', action='store_true', help='keep in the notebook what its cells print and show')
    options = parser.parse_args(arguments)
    path = options.notebook.absolute()
    notebook = json.loads(path.read_text(encoding='utf-8'))
    if options.folder:
        os.chdir(options.folder)
    run(notebook)
    if options.record:
        write_atomically((json.dumps(notebook, indent=1, ensure_ascii=False) + '\n').encode(), path)


def run(notebook: dict) -> None:
    """Run all cells in one namespace; their outputs replace the old ones.

    Args:
        notebook: The notebook, as its file holds it.

    Raises:
        Exception: As a cell raises.
    """
    namespace: dict[str, Any] = dict(__name__='__main__')
    for count, cell in enumerate(each for each in notebook['cells'] if each['cell_type'] == 'code'):
        cell['execution_count'], cell['outputs'] = count + 1, []
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            value = _run_cell(''.join(cell['source']), f'cell {count + 1}', namespace)
        if said.getvalue():
            cell['outputs'].append(dict(output_type='stream', name='stdout', text=_lines(said.getvalue())))
        if value is not None:
            shown = dict(output_type='execute_result', execution_count=count + 1, metadata={}, data=_data(value))
            cell['outputs'].append(shown)
        print(f'[{count + 1}]', said.getvalue() + ('' if value is None else f'{value!r}\n'), flush=True)


def _run_cell(source: str, name: str, namespace: dict[str, Any]) -> Any:
    """Run a cell, and return the value of the expression that it ends with; None without one."""
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, 'exec'), namespace)
    return None if last is None else eval(compile(ast.Expression(last.value), name, 'eval'), namespace)


def _data(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {'text/plain': _lines(repr(value))}
    if hasattr(value, '_repr_png_'):
        found = {'image/png': base64.b64encode(value._repr_png_()).decode(), 'text/plain': [type(value).__name__]}
    return found


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


if __name__ == '__main__':
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    main()
