"""A training that prunes, in a process of its own, so that it can be killed right after a step."""

import multiprocessing
import os
import signal
from multiprocessing.connection import wait

import clips
import killable_run
import zoo
from mmengine.config import Config

from mmkd_video.hooks import pruning_hook

TERMS = [
    dict(type='KDLoss', at='logits', weight=0.9),
    dict(type='FitNetLoss', at=('backbone.layer4', 'backbone.layer4')),
]
HOOK = dict(type='PruningHook', target=dict(params=0.5), begin=1, end=2, steps=2)
EMA = dict(type='EMAHook', momentum=0.1)


def distiller():
    """Return a TSM-MobileNetV2 that learns from an I3D, on logits and through a connector."""
    student, size = zoo.config_of('tsm_mobilenet')
    teacher, teacher_size = zoo.config_of('i3d')
    return dict(
        type='Distiller',
        student=student,
        teacher=dict(config=teacher, checkpoint=None),
        terms=[dict(term) for term in TERMS],
        input_size=dict(student=size, teacher=teacher_size),
    )


def config_for(videos, work_dir, hook=HOOK, model=None, epochs=3, ema=EMA, **extra):
    """Return the config of a training that prunes its student."""
    config = clips.runner_config(videos, work_dir, model or distiller(), epochs=epochs, **extra)
    shared = Config.fromfile(killable_run.BASE)
    hooks = [each for each in shared.custom_hooks if each['type'] != 'TeacherPredictionsHook']
    config.update(
        custom_hooks=[*hooks, *([dict(ema)] if ema else []), dict(hook), dict(type='TellIterations')],
        randomness=shared.randomness,
    )
    return Config(config)


def _train(settings, connection):
    def tell_cut(runner, step):
        cut(runner, step)
        connection.send('cut')

    cut, pruning_hook.prune_everywhere = pruning_hook.prune_everywhere, tell_cut
    killable_run.config_for = config_for
    killable_run.train(settings, connection)


def launch(settings, kill_at=None):
    """Train until the end, or until ``kill_at`` accepts the events so far; return them and the exit code."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['pruned_run'])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_train, args=(settings, sender))
    process.start()
    sender.close()
    events = []
    while receiver in wait([receiver, process.sentinel]):
        try:
            events.append(receiver.recv())
        except EOFError:
            break
        if kill_at is not None and kill_at(events):
            os.kill(process.pid, signal.SIGKILL)
            break
    process.join()
    return events, process.exitcode
