"""docs/tutorial.ipynb runs as it is committed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dev.run_notebook import run

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / 'docs' / 'tutorial.ipynb'
NOTEBOOK = json.loads(TUTORIAL.read_text())
CODE = [cell for cell in NOTEBOOK['cells'] if cell['cell_type'] == 'code']


def notebook_of(*sources):
    return dict(cells=[dict(cell_type='code', source=[source]) for source in sources])


def test_it_is_a_notebook_with_what_its_cells_said():
    assert (NOTEBOOK['nbformat'], NOTEBOOK['nbformat_minor']) == (4, 5)
    assert len({cell['id'] for cell in NOTEBOOK['cells']}) == len(NOTEBOOK['cells'])
    assert [cell['execution_count'] for cell in CODE] == list(range(1, len(CODE) + 1))
    outputs = json.dumps([cell['outputs'] for cell in CODE])
    assert len(outputs) < 100_000
    assert not re.search(r'(?<![\w.+/])/(home|root|tmp|work|usr)/', outputs) and '\\u001b' not in outputs


def test_cells_run_in_one_namespace_and_keep_what_they_say():
    picture = "class Picture:\n    def _repr_png_(self):\n        return b'png'\n"
    notebook = notebook_of('a = 1\nprint(a)', 'a + 1', picture + 'Picture()', 'a = 2', '')
    run(notebook)
    printed, value, shown, assigned, empty = (cell['outputs'] for cell in notebook['cells'])
    assert assigned == empty == []
    assert printed == [dict(output_type='stream', name='stdout', text=['1\n'])]
    assert value[0]['data'] == {'text/plain': ['2']} and value[0]['execution_count'] == 2
    assert shown[0]['data'] == {'image/png': 'cG5n', 'text/plain': ['Picture']}
    with pytest.raises(ZeroDivisionError):
        run(notebook_of('1 / 0'))


@pytest.mark.slow
@pytest.mark.runtimes
def test_its_cells_run(tmp_path):
    command = [sys.executable, '-m', 'dev.run_notebook', TUTORIAL, '--folder', tmp_path]
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=900)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert 'the student has' in done.stdout and 'equal: True' in done.stdout
    assert (tmp_path / 'work_dirs/tutorial/student.onnx').is_file()
