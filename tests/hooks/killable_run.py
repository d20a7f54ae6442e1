"""A real training in a process of its own that tells what it does, so that it can be killed at any point of it."""

import multiprocessing
import os
import random
import signal
import time
from multiprocessing.connection import wait
from pathlib import Path

import clips
import matplotlib.pyplot  # noqa: F401  like mmaction's parts, loaded once for all runs by the process they fork from
import torch
import zoo
from mmaction.utils import register_all_modules
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmkd_video  # noqa: F401
from mmkd_video.compat import safe_load
from mmkd_video.core.files.temporary import TemporaryFile
from mmkd_video.core.registry import HOOKS

register_all_modules()
BASE = Path(__file__).parents[2] / 'configs' / '_base_' / 'mmkd.py'
EPOCHS, ITERS = 4, 12


@HOOKS.register_module(force=True)
class TellIterations(Hook):
    tell = staticmethod(lambda event: None)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.tell('iter')

    def before_val_epoch(self, runner):
        self.tell('val')


def in_pieces(write, tell):
    """Return a way to write that takes its time within a file, so that a kill finds half of it."""

    def write_slowly(file, content):
        middle = len(content) // 2
        write(file, content[:middle])
        tell('write')
        time.sleep(0.03)
        write(file, content[middle:])

    return write_slowly


def config_for(videos, work_dir, kind, loop, workers, resume):
    """Return the config of a student alone or distilled, by epochs or by iterations."""
    student, size = zoo.config_of('tsm_mobilenet')
    model = student
    if kind == 'distiller':
        teacher, teacher_size = zoo.config_of('i3d')
        model = dict(
            type='Distiller',
            student=student,
            teacher=dict(
                config=dict(model=teacher, val_pipeline=clips.pipeline(train=False, layout='NCTHW')), checkpoint=None
            ),
            terms=[
                dict(type='KDLoss', at='logits', weight=dict(type='Linear', value=0.9, start_factor=0.1, end=3)),
                dict(type='FitNetLoss', at=('backbone.layer4', 'backbone.layer4')),
            ],
            input_size=dict(student=size, teacher=teacher_size),
        )
    config = clips.runner_config(videos, work_dir, model, epochs=EPOCHS, workers=workers, resume=resume)
    shared = Config.fromfile(BASE)
    config.update(custom_hooks=[*shared.custom_hooks, dict(type='TellIterations')], randomness=shared.randomness)
    checkpoint = dict(type='CheckpointHook', interval=1, max_keep_ckpts=2, save_best='acc/top1', rule='greater')
    if loop == 'iter':
        config['train_cfg'] = dict(type='IterBasedTrainLoop', max_iters=ITERS, val_interval=6)
        config['param_scheduler'] = [dict(type='CosineAnnealingLR', T_max=ITERS, by_epoch=False)]
        config['log_processor'] = dict(by_epoch=False)
        checkpoint.update(interval=3, by_epoch=False)
    config['default_hooks']['checkpoint'] = checkpoint
    return Config(config)


def train(settings, connection):
    """Train in a process of its own; each step of it is told over the connection."""
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    TellIterations.tell = staticmethod(connection.send)
    TemporaryFile.write = in_pieces(TemporaryFile.write, connection.send)
    # Formatting the config, for every checkpoint, takes longer than the training.
    Config.pretty_text = property(lambda config: str(config.to_dict()))
    replace = os.replace

    def tell_replace(source, target):
        replace(source, target)
        connection.send('replaced')

    os.replace = tell_replace
    log = os.open(settings['work_dir'].parent / 'log.txt', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    Runner.from_cfg(config_for(**settings)).train()


def launch(settings, kill_at=None, delay=0.0):
    """Train until the end, or until the event that ``kill_at`` accepts.

    Args:
        settings: Those of :func:`config_for`.
        kill_at: Takes the list of events so far; the process gets SIGKILL when it returns true.
        delay: Seconds between that event and the kill.

    Returns:
        The events and the exit code.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['killable_run'])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=train, args=(settings, sender))
    process.start()
    sender.close()
    events = []
    while receiver in wait([receiver, process.sentinel]):
        try:
            events.append(receiver.recv())
        except EOFError:
            break
        if kill_at is not None and kill_at(events):
            time.sleep(delay)
            os.kill(process.pid, signal.SIGKILL)
            break
    process.join()
    return events, process.exitcode


def final_state(work_dir):
    """Return what a finished training has come to: everything of its last checkpoint but times and logs."""
    last = safe_load.load(Path(work_dir, 'last_checkpoint').read_text())
    keys = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers', 'training_state')
    state = {key: last.get(key) for key in keys}
    return state, (last['meta']['epoch'], last['meta']['iter'])


def assert_same(got, expected, place=''):
    """Compare nested states bit for bit."""
    assert type(got) is type(expected), place
    if isinstance(expected, dict):
        assert list(got) == list(expected), place
        for key in expected:
            assert_same(got[key], expected[key], f'{place}.{key}')
    elif isinstance(expected, (list, tuple)):
        assert len(got) == len(expected), place
        for index, pair in enumerate(zip(got, expected, strict=True)):
            assert_same(*pair, f'{place}[{index}]')
    elif isinstance(expected, torch.Tensor):
        assert got.dtype == expected.dtype and torch.equal(got, expected), place
    else:
        assert got == expected, place


def random_moment(seed, events):
    """Return a kill at a random point of a training whose events are known, and a random delay in seconds."""
    draw = random.Random(seed)
    index = draw.randrange(1, int(0.9 * len(events)))
    return (lambda so_far: len(so_far) >= index), draw.uniform(0, 0.02)
