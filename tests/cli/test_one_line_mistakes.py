"""A mistake is told in one line; a failure keeps its traceback."""

import argparse

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmkd_video.cli.mistakes import TRACEBACK, exit_on_mistake
from mmkd_video.core.layouts import channels_of
from mmkd_video.core.mistakes import as_settings_errors
from mmkd_video.core.registry import MODELS
from mmkd_video.workflows.train.prepare import needed_parts

PARSER = argparse.ArgumentParser()


def own_check():
    needed_parts(Config(dict(prepare=dict(dta='x'))))


def failure_below():
    nn.Linear(2, 2)(torch.ones(3))


def failure_within():
    channels_of(None)


def wrong_setting():
    MODELS.build(dict(type='KDLoss', temprature=3.0))


def told(call, building, capsys):
    with pytest.raises(SystemExit) as stopped, exit_on_mistake(PARSER), as_settings_errors(lambda: not building):
        call()
    assert stopped.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize('building', [True, False])
def test_own_check_is_one_line_at_any_time(building, capsys):
    assert told(own_check, building, capsys).startswith("error: prepare: got the unknown key 'dta'; expected data, ")


def test_wrong_setting_is_one_line_while_building_only(capsys):
    said = told(wrong_setting, True, capsys)
    assert said.startswith('error: TypeError: ') and said.count('\n') == 1
    assert "'temprature'" in said and said.endswith(f'({TRACEBACK}=1 shows where)\n')
    with pytest.raises(TypeError), exit_on_mistake(PARSER), as_settings_errors(lambda: True):
        wrong_setting()


@pytest.mark.parametrize(
    'call, error, building',
    [(failure_below, RuntimeError, True), (failure_below, RuntimeError, False), (failure_within, TypeError, False)],
)
def test_failure_keeps_its_traceback(call, error, building):
    with pytest.raises(error), exit_on_mistake(PARSER), as_settings_errors(lambda: not building):
        call()


def test_traceback_is_shown_when_asked_for(monkeypatch):
    monkeypatch.setenv(TRACEBACK, '1')
    with pytest.raises(KeyError), exit_on_mistake(PARSER), as_settings_errors():
        own_check()


@pytest.mark.slow
@pytest.mark.parametrize(
    'option, message',
    [
        ('model.terms.0.at=logitz', 'logitz'),
        ('model.terms.0.temprature=3', 'temprature'),
        ('train_dataloader.dataset.ann_file=nowhere.txt', 'nowhere.txt'),
        ('custom_hooks=[]', 'DistillHook is not registered'),  # found while the first batches are trained on
    ],
)
def test_mistake_is_one_line_of_the_tool(tiny, option, message):
    options = ['--cfg-options', 'model.teacher.checkpoint=None', option]
    done = tiny.run('train.py', 'distill.py', '--work-dir', 'out', *options, check=False)
    assert done.returncode == 1 and 'Traceback' not in done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert message in line
