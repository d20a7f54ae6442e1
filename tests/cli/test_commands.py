"""``mmkd`` and ``python -m mmkd_video``: every tool under one name."""

import importlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import mmkd_video
import mmkd_video_door
from mmkd_video.cli import commands, shrink
from mmkd_video.workflows.compare.settings import ComparisonSettings, command_of
from mmkd_video.workflows.train.prepare import Clips

ROOT = Path(__file__).parents[2]
# As pip writes it from the entry point of setup.py.
SCRIPT = 'import sys\nfrom mmkd_video.__main__ import main\nif __name__ == "__main__":\n    sys.exit(main())\n'


@pytest.fixture
def mmkd(tmp_path):
    """Run the installed command in an empty folder."""
    script = tmp_path / 'bin' / 'mmkd'
    script.parent.mkdir()
    script.write_text(SCRIPT)

    def run(*arguments, path=()):
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, [*path, ROOT])))
        command = [sys.executable, script, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    return run


@pytest.fixture
def broken(tmp_path):
    """A folder whose torch, MMEngine and MMAction2 do not import."""
    folder = tmp_path / 'broken'
    folder.mkdir()
    for name in ('torch', 'mmengine', 'mmaction'):
        (folder / f'{name}.py').write_text('raise ImportError("broken on purpose")')
    return folder


@pytest.fixture
def asked(monkeypatch):
    """What commands were asked to do, in place of doing it: (how they see their command line, their result)."""
    seen = []
    for module, _ in commands.COMMANDS.values():
        tool = importlib.import_module(f'mmkd_video.cli.{module}')
        monkeypatch.setattr(tool, 'main', lambda module=module: seen.append((module, list(sys.argv))))
    return seen


def test_each_command_gets_its_arguments_and_its_name(asked):
    before = list(sys.argv)
    for name, (module, _) in commands.COMMANDS.items():
        assert commands.main([name, 'a.py', '--seed', '1']) == 0
        assert asked.pop() == (module, [f'mmkd {name}', 'a.py', '--seed', '1'])
    assert sys.argv == before


@pytest.mark.parametrize('result, code', [(3, 3), (None, 0), ({'acc/top1': 0.5}, 0)])
def test_a_number_that_a_command_returns_is_the_exit_code(monkeypatch, result, code):
    monkeypatch.setattr(shrink, 'main', lambda: result)
    assert commands.main(['shrink']) == code


def test_every_tool_is_a_command():
    scripts = sorted((ROOT / 'tools').rglob('*.py'))
    tools = [path.stem.removesuffix('_motion_clips').removesuffix('_teacher').replace('_', '-') for path in scripts]
    assert {*tools, 'doctor'} == set(commands.COMMANDS)
    for path, tool in zip(scripts, tools, strict=True):
        assert path.read_text().endswith(f"\n    run_tool('{tool}')\n")


def test_an_unknown_command_is_told_in_one_line_with_those_that_exist(capsys):
    assert commands.main(['trian', 'a.py']) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert said.out == '' and "did you mean 'train'?" in line
    assert all(name in line for name in commands.COMMANDS)


def test_without_a_command_it_lists_them_and_has_failed(capsys):
    assert commands.main([]) == 2
    assert 'doctor' in capsys.readouterr().err


def test_the_list_does_not_wait_for_the_stack(mmkd, broken):
    done = mmkd('--help', path=[broken])
    assert done.returncode == 0, done.stderr
    for name, (_, what) in commands.COMMANDS.items():
        assert re.search(rf'^  {name} +{re.escape(what)}$', done.stdout, flags=re.MULTILINE), name
    assert mmkd('--version', path=[broken]).stdout == f'mmkd_video {mmkd_video.__version__}\n'
    assert 'broken on purpose' in mmkd('doctor', path=[broken]).stdout
    assert 'broken on purpose' in mmkd('shrink', '--help', path=[broken]).stderr


def test_only_the_installers_script_skips_the_classes(broken, tmp_path):
    script = tmp_path / 'mmkd' / 'mmkd.py'
    script.parent.mkdir()
    script.write_text('import mmkd_video')
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, [broken, ROOT])))
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and 'broken on purpose' in done.stderr


def test_commands_other_than_the_doctor_have_all_classes(asked, monkeypatch):
    calls = []
    monkeypatch.setattr(mmkd_video, 'register', lambda: calls.append('registered'))
    for name in commands.COMMANDS:
        commands.main([name])
        assert calls == ([] if name == 'doctor' else ['registered'])
        calls.clear()


def test_ctrl_c_while_the_stack_is_imported_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(mmkd_video, 'register', lambda: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert commands.main(['shrink']) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == '\ninterrupted\n'


@pytest.mark.parametrize('script', sorted((ROOT / 'tools').rglob('*.py')), ids=lambda path: path.stem)
def test_ctrl_c_while_a_script_imports_the_stack_is_one_line(tmp_path, script):
    lines = 'import signal\nsignal.signal(2, signal.default_int_handler)\nsignal.raise_signal(2)\n'
    (tmp_path / 'torch.py').write_text(lines)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, [tmp_path, ROOT])))
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (130, '\ninterrupted\n')


@pytest.mark.parametrize('name', commands.COMMANDS)
def test_a_script_keeps_its_own_name(asked, monkeypatch, name):
    monkeypatch.setattr(sys, 'argv', ['tools/a.py', 'b'])
    with pytest.raises(SystemExit) as ended:
        mmkd_video_door.run_tool(name)
    assert ended.value.code == 0 and asked == [(commands.COMMANDS[name][0], ['tools/a.py', 'b'])]


def test_the_usage_names_the_command(capsys):
    with pytest.raises(SystemExit) as ended:
        commands.main(['shrink'])
    assert ended.value.code == 2 and capsys.readouterr().err.startswith('usage: mmkd shrink ')


def test_commands_that_are_printed_are_those_that_exist_where_they_are_printed(monkeypatch):
    settings = ComparisonSettings(seeds=[0])
    assert command_of(['a.py'], settings) == 'python tools/compare.py a.py --seeds 0'
    assert Clips(Path('clips')).command == 'python tools/data/render_motion_clips.py clips'
    monkeypatch.setattr(sys, 'argv', ['mmkd compare', 'a.py'])
    assert command_of(['a.py'], settings) == 'mmkd compare a.py --seeds 0'
    assert Clips(Path('clips')).command == 'mmkd render clips'
