"""Trainings with clips that are held back, in this process or as one of several ranks; and a student of two numbers."""

import copy
import os
import sys
from pathlib import Path

import clips
import tiny
import torch
from mmengine.dist import get_rank
from mmengine.registry import init_default_scope
from torch import nn

LEARNED = dict(type='KDLoss', at='logits', weight=dict(type='MetaLearned', start=0.5))
MAP = dict(type='FitNetLoss', at='backbone.layer1', weight=dict(type='MetaLearned', start=2.0))


def held_back(videos, batch_size=2):
    dataset = dict(
        type='VideoDataset', ann_file=str(videos / 'list.txt'), data_prefix=dict(video=str(videos)),
        pipeline=clips.pipeline(layout='NCTHW'),
    )  # fmt: skip
    return dict(batch_size=batch_size, dataset=dataset)


def weight_hook(videos, batch_size=2, **extra):
    return dict(dict(type='MetaWeightHook', dataloader=held_back(videos, batch_size), interval=2), **extra)


def built(videos, work_dir, hook=None, terms=(LEARNED, MAP), student=None, **extra):
    torch.manual_seed(0)
    model = tiny.distiller(terms=copy.deepcopy(list(terms)), student=student)
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


if __name__ == '__main__':
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    videos, folder = map(Path, sys.argv[1:])
    fixed = tiny.recognizer(norm_eval=True)
    run = built(videos, folder / 'ranks', weight_hook(videos), student=fixed, launcher='pytorch')
    run.train()
    torch.save(state_of(run), folder / f'rank{get_rank()}.pth')
    os._exit(0)  # gloo sometimes aborts an interpreter that is taken down: see compat/gloo_exit.py
