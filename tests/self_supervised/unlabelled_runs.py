"""Trainings without labels on small real clips, in this process or as one of two ranks."""

import os
import sys
from pathlib import Path

import clips
import tiny
import torch
from mmengine.dist import get_rank
from mmengine.registry import init_default_scope

HEAD = dict(type='PrototypeHead', num_classes=6, in_channels=8, hidden_channels=8, bottleneck=4)
DINO = dict(type='DINOLoss', at='logits', weight=1.0)
BYOL = dict(type='CosineLoss', at='pooled', weight=1.0, connector=dict(type='MLPConnector', hidden_channels=16))


def built(videos, work_dir, term=DINO, **extra):
    torch.manual_seed(0)
    student = dict(tiny.recognizer(), cls_head=HEAD) if term is DINO else tiny.recognizer()
    model = dict(
        type='Distiller', student=student, teacher=dict(type='EMATeacher', momentum=0.9), terms=[term],
        task_weight=0.0, input_size=tiny.SIZE,
    )  # fmt: skip
    view = clips.pipeline(layout='NCTHW')
    views = [dict(type='DistillViews', student=view, teacher=view, augment='another')]
    dataset = dict(type='MixedVideoDataset', clips='all_unlabelled', pipeline=views)
    runner = dict(train_dataloader=dict(dataset=dataset), val_dataloader=None, val_cfg=None, val_evaluator=None)
    return tiny.runner(videos, work_dir, 'unlabelled', model, **runner, **extra)


if __name__ == '__main__':
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    videos, folder = map(Path, sys.argv[1:])
    run = built(videos, folder / 'ranks', launcher='pytorch')
    run.train()
    torch.save(run.model.module.training_state_dict(), folder / f'rank{get_rank()}.pth')
    os._exit(0)  # gloo sometimes aborts an interpreter that is taken down: see compat/gloo_exit.py
