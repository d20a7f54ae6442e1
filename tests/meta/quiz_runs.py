"""Trainings with clips that are held back, in this process or as one of several ranks; and a student of two numbers."""

import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import clips
import tiny
import torch
from mmengine.dist import get_rank
from mmengine.registry import init_default_scope
from torch import nn

from mmkd_video.compat import safe_load

TESTS = Path(__file__).parents[1]

LEARNED = dict(type='KDLoss', at='logits', weight=dict(type='MetaLearned', start=0.5))
PLAIN = (dict(type='KDLoss', at='logits', weight=1.0), dict(type='FitNetLoss', at='backbone.layer1', weight=0.1))
META = dict(type='MetaTeacher')
MAP = dict(type='FitNetLoss', at='backbone.layer1', weight=dict(type='MetaLearned', start=2.0))


def held_back(videos, batch_size=2):
    dataset = dict(
        type='VideoDataset', ann_file=str(videos / 'list.txt'), data_prefix=dict(video=str(videos)),
        pipeline=clips.pipeline(layout='NCTHW'),
    )  # fmt: skip
    return dict(batch_size=batch_size, dataset=dataset)


def weight_hook(videos, batch_size=2, **extra):
    return dict(dict(type='MetaWeightHook', dataloader=held_back(videos, batch_size), interval=2), **extra)


def distil_hook(videos, batch_size=2, **extra):
    optimizer = dict(type='SGD', lr=0.02, momentum=0.9)
    return dict(dict(type='MetaDistilHook', dataloader=held_back(videos, batch_size), optimizer=optimizer), **extra)


def built(videos, work_dir, hook=None, terms=(LEARNED, MAP), student=None, teacher=None, **extra):
    torch.manual_seed(0)
    model = tiny.distiller(terms=copy.deepcopy(list(terms)), student=student, teacher=teacher)
    return tiny.runner(videos, work_dir, 'quiz', model, hooks=[] if hook is None else [hook], **extra)


def state_of(runner):
    model = getattr(runner.model, 'module', runner.model)
    return {name: each.clone() for name, each in {**model.state_dict(), **model.training_state_dict()}.items()}


class Numbers(nn.Module):
    """A student whose weights are a point, and whose clips are places that it is drawn to."""

    def __init__(self, start):
        super().__init__()
        self.point = nn.Parameter(torch.tensor(start))

    def forward(self, inputs, data_samples, mode):
        return dict(loss_cls=(self.point - inputs).square().sum(dim=1).mean() / 2)


def prepare(batch, training):
    return dict(inputs=batch['inputs'], data_samples=batch['data_samples'])


def parse_losses(losses):
    return sum(value for key, value in losses.items() if 'loss' in key), losses


def on_two_ranks(videos, folder, what):
    """Train in two processes and return what each has at the end."""
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--master_port=0', '--standalone']
    path = os.pathsep.join(map(str, (TESTS, TESTS / 'meta', TESTS.parent)))
    command += [str(TESTS / 'meta' / 'quiz_runs.py'), str(videos), str(folder), what]
    environment = dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS='1')
    done = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return [safe_load.load(str(folder / f'rank{rank}.pth')) for rank in (0, 1)]


def resumed(videos, folder, *given, **more):
    """Return what a whole training has at the end, and one that was cut off after its first epoch and resumed."""
    whole = built(videos, folder / 'whole', *given, **more)
    whole.train()
    (folder / 'cut').mkdir()
    shutil.copy(folder / 'whole' / 'epoch_1.pth', folder / 'cut')
    (folder / 'cut' / 'last_checkpoint').write_text(str(folder / 'cut' / 'epoch_1.pth'))
    cut = built(videos, folder / 'cut', *given, resume=True, **more)
    cut.train()
    return state_of(whole), state_of(cut)


if __name__ == '__main__':
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    videos, folder = map(Path, sys.argv[1:3])
    fixed, given = tiny.recognizer(norm_eval=True), dict(hook=weight_hook(videos))
    if sys.argv[3] == 'distil':
        given = dict(hook=distil_hook(videos), terms=PLAIN, teacher=META)
    run = built(videos, folder / 'ranks', student=fixed, launcher='pytorch', **given)
    run.train()
    torch.save(state_of(run), folder / f'rank{get_rank()}.pth')
    os._exit(0)  # gloo sometimes aborts an interpreter that is taken down: see compat/gloo_exit.py
