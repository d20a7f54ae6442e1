"""A training whose disk is full ends with its exit code and one line that names the file, whoever was writing it."""

import argparse
import re
import resource
from pathlib import Path

import pytest
from guarded_run import make_runner
from mmengine.hooks import Hook

from mmkd_video.cli.mistakes import exit_on_mistake
from mmkd_video.compat import safe_load
from mmkd_video.core.registry import HOOKS

LARGE = 1 << 30


@HOOKS.register_module(force=True)
class FullDisk(Hook):
    """From the second epoch on no file grows beyond the size that one of the work dir then has."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def before_train_epoch(self, runner):
        if runner.epoch == 1:
            size = next(Path(runner.work_dir).rglob(self.pattern)).stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def train(work_dir, pattern, **settings):
    hooks = [dict(type='CheckpointGuardHook'), dict(type='FullDisk', pattern=pattern)]
    logger = dict(type='LoggerHook', interval=1)
    checkpoint = dict(type='CheckpointHook', interval=1)
    make_runner(
        work_dir, default_hooks=dict(logger=logger, checkpoint=checkpoint), custom_hooks=hooks, **settings
    ).train()


@pytest.mark.parametrize(
    ('pattern', 'level', 'named'),
    [
        ('scalars.json', 'WARNING', r'vis_data/\w+\.json'),
        ('*.log', 'INFO', r'\w+\.log'),
    ],
)
def test_what_mmengine_writes_is_named_and_the_last_checkpoint_is_whole(
    tmp_path, capsys, file_size_limit, pattern, level, named
):
    with file_size_limit(LARGE), pytest.raises(SystemExit) as end, exit_on_mistake(argparse.ArgumentParser()):
        train(tmp_path, pattern, log_level=level)
    told = capsys.readouterr().err
    assert end.value.code == 1
    assert re.fullmatch(rf'error: {tmp_path}/\S*{named} cannot be written \(File too large\); .*resume.*\n', told)
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_1.pth']
    assert safe_load.load(tmp_path / 'epoch_1.pth')['meta']['epoch'] == 1


def test_a_config_that_cannot_be_dumped_is_named(tmp_path, capsys, file_size_limit):
    with file_size_limit(100), pytest.raises(SystemExit) as end, exit_on_mistake(argparse.ArgumentParser()):
        make_runner(tmp_path, log_level='ERROR')
    assert end.value.code == 1
    assert re.search(r'error: \S+\.py cannot be written \(File too large\); make room', capsys.readouterr().err)


def test_a_file_that_cannot_be_found_out_is_no_obstacle(capsys):
    with pytest.raises(SystemExit), exit_on_mistake(argparse.ArgumentParser()):
        raise OSError(28, 'No space left on device')
    assert capsys.readouterr().err.startswith('error: a file cannot be written (No space left on device); make room')
