import argparse
import os
import signal
import subprocess
import sys
import time

import pytest
from mmengine.config import Config

from mmkd_video.cli import render, train
from mmkd_video.cli import test as test_command
from mmkd_video.cli.interrupts import exit_on_interrupt, exit_on_sigterm
from mmkd_video.core.interrupts import Interrupts
from mmkd_video.workflows.train import testing, training
from mmkd_video.workflows.train.child_process import terminate_on_error


@pytest.fixture(autouse=True)
def _handlers():
    """As in a command that was started in the foreground; in the background ctrl-C is ignored."""
    terminate, interrupt = signal.getsignal(signal.SIGTERM), signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, interrupt)


def kill_me(number):
    os.kill(os.getpid(), number)
    time.sleep(5)


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_with_its_code_after_the_clean_up(number, code, capsys):
    cleaned = []
    with pytest.raises(SystemExit) as ended, exit_on_interrupt(argparse.ArgumentParser(), 'go on'):
        try:
            kill_me(number)
        finally:
            cleaned.append(True)
    assert (ended.value.code, cleaned) == (code, [True])
    assert capsys.readouterr().err == ('\ninterrupted; go on\n' if code == 130 else '')


def test_commands_that_start_others_end_in_order(capsys):
    exit_on_sigterm()
    with pytest.raises(SystemExit) as ended:
        kill_me(signal.SIGTERM)
    assert ended.value.code == 143


@pytest.mark.parametrize(
    ('tool', 'module', 'part', 'arguments'),
    [
        (render, render, 'prepare_motion_clips', ['folder']),
        (train, train, 'read_config', ['a.py']),
        (test_command, testing, 'read_config', ['a.py', __file__]),
        (train, training, 'train', ['a.py']),
    ],
)
def test_ctrl_c_is_one_line(monkeypatch, capsys, tool, module, part, arguments):
    for name in (
        'read_config',
        'check_config',
        'set_epochs_from_budget',
        'teacher_settings',
        'prepare',
        'prepare_rate',
    ):
        for each in (train, training, testing):
            monkeypatch.setattr(each, name, lambda *_, **__: Config({}), raising=False)
    monkeypatch.setattr(module, part, lambda *_, **__: kill_me(signal.SIGINT))
    with pytest.raises(SystemExit) as ended:
        tool.main(arguments)
    assert ended.value.code == 130
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_child_does_not_outlive_its_command(number):
    exit_on_sigterm()
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)
    with pytest.raises((KeyboardInterrupt, SystemExit)), child, terminate_on_error(child):
        kill_me(number)
    assert child.returncode == -signal.SIGTERM


@pytest.mark.parametrize('text', ['0', '-1', 'x', 'inf', 'nan', ''])
def test_a_grace_that_is_no_time_is_refused(text, capsys):
    with pytest.raises(SystemExit) as ended:
        train.build_parser().parse_args(['a.py', '--signal-grace', text])
    assert ended.value.code == 2
    assert '--signal-grace' in capsys.readouterr().err
    assert train.build_parser().parse_args(['a.py', '--signal-grace', '7.5']).signal_grace == 7.5


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_work_that_is_asked_to_stop_ends_with_the_code_of_the_signal(number, code):
    stopped = []
    with Interrupts() as interrupts:
        interrupts.stop = lambda: stopped.append(True)
        os.kill(os.getpid(), number)
    assert stopped == [True] and 128 + interrupts.signal == code
