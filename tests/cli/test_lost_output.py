"""What a tool prints arrives, or the tool ends with an exit code and one line: a full disk, a reader that is gone."""

import argparse
import ast
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from clips import encode
from mmengine.logging import MMLogger
from streams import export_tiny

from mmkd_video import cli
from mmkd_video.cli import benchmark, check_data, commands
from mmkd_video.cli.commands import COMMANDS
from mmkd_video.cli.mistakes import TRACEBACK, exit_on_error, exit_on_mistake
from mmkd_video.cli.watched_output import WatchedOutput
from mmkd_video.workflows.train.data_check import DataReport

ROOT = Path(__file__).resolve().parents[2]
FULL = 'error: the output cannot be written (No space left on device)\n'
ENDS = [exit_on_error, exit_on_mistake]


def closed_pipe():
    read, write = os.pipe()
    os.close(read)
    return write


@pytest.fixture(params=[False, True], ids=['buffered', 'unbuffered'])
def lose_output(monkeypatch, request):
    """A function that lets a descriptor be the standard output."""

    def lose(descriptor):
        raw = open(descriptor, 'wb', buffering=0 if request.param else -1)  # noqa: SIM115  it is closed at the end
        monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(raw, write_through=request.param))

    return lose


@pytest.mark.parametrize('size', [10, 100_000])
@pytest.mark.parametrize('end', ENDS)
def test_a_full_disk_is_one_line_however_much_is_printed(lose_output, capsys, end, size):
    lose_output('/dev/full')
    with pytest.raises(SystemExit) as ended, end(argparse.ArgumentParser()):
        print('x' * size)
    sys.stdout.close()  # as at exit: nothing is left to be written
    assert ended.value.code == 1 and capsys.readouterr().err == FULL


@pytest.mark.parametrize('end', ENDS)
def test_a_reader_that_is_gone_is_no_line(lose_output, capsys, end):
    lose_output(closed_pipe())
    with pytest.raises(SystemExit) as ended, end(argparse.ArgumentParser()):
        print('x')
    assert ended.value.code == 141 and capsys.readouterr().err == ''


@pytest.mark.parametrize('end', ENDS)
def test_an_error_of_the_tool_is_told_before_that_of_its_output(lose_output, capsys, end):
    lose_output('/dev/full')
    with pytest.raises(SystemExit), end(argparse.ArgumentParser()):
        try:
            print('x', flush=True)
        except OSError:
            raise OSError(28, 'No space left on device', 'a.onnx') from None
    assert capsys.readouterr().err.startswith('error: a.onnx cannot be written (No space left on device)')


def test_the_traceback_is_shown_when_asked_for(lose_output, monkeypatch):
    monkeypatch.setenv(TRACEBACK, '1')
    lose_output('/dev/full')
    with pytest.raises(OSError, match='No space left'), exit_on_error(argparse.ArgumentParser()):
        print('x', flush=True)


def test_what_is_printed_is_not_held_back(capsys):
    before = sys.stdout
    with exit_on_error(argparse.ArgumentParser()):
        assert isinstance(sys.stdout, WatchedOutput) and sys.stdout.encoding == before.encoding
        print('x')
    assert sys.stdout is before and capsys.readouterr().out == 'x\n'


def test_a_process_without_an_output_prints_nothing(monkeypatch):
    monkeypatch.setattr(sys, 'stdout', None)
    with exit_on_error(argparse.ArgumentParser()):
        print('x')


def test_a_log_ends_with_its_terminal_and_the_work_goes_on(lose_output, tmp_path, capsys):
    lose_output('/dev/full')
    done = []
    with pytest.raises(SystemExit) as ended, exit_on_mistake(argparse.ArgumentParser()):
        logger = MMLogger(name='lost', log_file=str(tmp_path / 'a.log'))
        for index in range(3):
            logger.info('line %d', index)
        done.append(True)
    assert done and ended.value.code == 1
    assert capsys.readouterr().err == 'warning: the log is not shown any more (No space left on device)\n' + FULL
    assert [line.split()[-1] for line in (tmp_path / 'a.log').read_text().splitlines()] == ['0', '1', '2']


@pytest.mark.parametrize('problems', [[], ['train: a.mp4 is empty']])
def test_the_check_of_the_data(lose_output, tmp_path, monkeypatch, capsys, problems):
    report = DataReport(videos=3, decoder='decord', problems=problems)
    monkeypatch.setattr(check_data, 'check_data', lambda *_, **__: report)
    lose_output('/dev/full')
    with pytest.raises(SystemExit) as ended:
        check_data.main(['a.py', '--out', str(tmp_path / 'wrong.txt')])
    assert ended.value.code == 1 and capsys.readouterr().err == FULL


def test_a_benchmark_is_saved_and_told(lose_output, tmp_path, monkeypatch, capsys):
    saved = []
    monkeypatch.setattr(benchmark, 'benchmark_losses', lambda *_, **__: Mock(as_text=lambda: 'a table'))
    monkeypatch.setattr(benchmark, 'save_report', lambda report, out, *_: saved.append(out))
    lose_output('/dev/full')
    with pytest.raises(SystemExit) as ended:
        benchmark.main(['losses', '--out', str(tmp_path / 'a.json')])
    assert ended.value.code == 1 and saved and capsys.readouterr().err.endswith(FULL)


def outside(path):
    """Yield the lines of ``main`` that print before or after the block that ends the tool."""
    tree = ast.parse(path.read_text())
    (main,) = (each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == 'main')
    blocks = [node for node in main.body if isinstance(node, ast.With) and 'exit_on_' in ast.unparse(node)]
    inside = {id(node) for block in blocks for node in ast.walk(block)}
    for node in ast.walk(main):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == 'print' and id(node) not in inside:
            yield f'{path.name}:{node.lineno}'


def test_every_tool_prints_inside_the_block_that_ends_it():
    folder = Path(cli.__file__).parent
    tools = [folder / f'{name.replace(".", "/")}.py' for name, _ in COMMANDS.values()]
    assert [line for path in tools for line in outside(path)] == []


@pytest.mark.parametrize('arguments', [['--help'], ['--version'], ['train', '--help'], ['doctor', '--help']])
@pytest.mark.parametrize('is_read', [True, False])
def test_a_help_that_is_lost_is_an_error(lose_output, capsys, arguments, is_read):
    lose_output(closed_pipe() if not is_read else '/dev/full')
    with pytest.raises(SystemExit) as ended:
        commands.main(arguments)
    assert (ended.value.code, capsys.readouterr().err) == ((1, FULL) if is_read else (141, ''))


def test_wrong_arguments_stay_wrong_arguments(lose_output, capsys):
    lose_output('/dev/full')
    with pytest.raises(SystemExit) as ended:
        commands.main(['train', '--no-such'])
    assert ended.value.code == 2 and FULL not in capsys.readouterr().err


def run(command, **settings):
    with open('/dev/full', 'w') as full:
        return subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=300, **settings)


@pytest.mark.slow
def test_the_doctor():
    done = run([sys.executable, '-m', 'mmkd_video', 'doctor'], env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert done.returncode == 1 and 'Traceback' not in done.stderr and done.stderr.endswith(FULL)


@pytest.mark.slow
def test_the_lines_of_a_stream(tmp_path):
    model = export_tiny(tmp_path, suffix='.onnx')
    encode(tmp_path / 'a.mp4', 1, frames=40)
    command = [sys.executable, ROOT / 'tools/stream.py', tmp_path / 'a.mp4', '--model', model, '--threads', '1']
    done = run(command, env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'})
    assert done.returncode == 1 and done.stderr == FULL


@pytest.mark.slow
def test_a_training_is_finished_and_told(tiny):
    command = [sys.executable, str(ROOT / 'tools/train.py'), 'student.py', '--work-dir', 'out']
    done = run(command, cwd=tiny.folder, env=tiny.environment())
    assert done.returncode == 1 and 'Traceback' not in done.stderr and done.stderr.endswith(FULL)
    assert (tiny.folder / 'out/epoch_2.pth').exists()
