"""Trainings by episodes on small real clips, in this process or as one of several ranks."""

import json
import os
import sys
from pathlib import Path

import clips
import tiny
import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

ALGORITHMS = dict(
    maml=dict(type='MAML', steps=2, lr=0.05),
    first_order=dict(type='MAML', steps=2, lr=0.05, second_order=False),
    reptile=dict(type='Reptile', steps=2, lr=0.05, clips=10),
    protonet=dict(type='ProtoNet'),
)


def config_of(videos, work_dir, algorithm, model=None, batch_size=1, epochs=2, **extra):
    config = clips.runner_config(
        videos, work_dir, model or tiny.recognizer(), clips.pipeline(layout='NCTHW'), epochs=epochs,
        batch_size=batch_size, optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05)),
        custom_hooks=[dict(type='DistillHook'), dict(type='ReproducibleHook'), dict(type='FiniteHook')],
        experiment_name=f'{Path(work_dir).name}-{id(extra)}', log_processor=dict(window_size=1),
    )  # fmt: skip
    config['val_dataloader']['dataset']['pipeline'] = clips.pipeline(train=False, layout='NCTHW')
    episodes = dict(type='EpisodeBatchSampler', way=5, shot=1, queries=1, episodes=2)
    for part in ('train_dataloader', 'val_dataloader'):
        config[part]['batch_sampler'] = dict(episodes, seed=None if part[0] == 't' else 7)
    config['val_dataloader']['batch_size'] = 1
    config['val_evaluator'] = [dict(type='EpisodeAccuracy'), dict(type='AccMetric')]
    config['train_cfg'] = dict(type='EpisodeTrainLoop', algorithm=algorithm, max_epochs=epochs)
    config['val_cfg'] = dict(type='EpisodeValLoop', algorithm=algorithm)
    config = Config(config)
    config.merge_from_dict(extra)
    return config


def built(*arguments, **extra):
    torch.manual_seed(0)
    return Runner.from_cfg(config_of(*arguments, **extra))


def state_of(runner):
    return {name: each.clone() for name, each in runner.model.state_dict().items()}


if __name__ == '__main__':
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    videos, folder, name = sys.argv[1:]
    run = built(Path(videos), Path(folder, 'ranks'), ALGORITHMS[name], launcher='pytorch', epochs=1)
    run.train()
    if get_rank() == 0:
        torch.save({k.removeprefix('module.'): v for k, v in run.model.state_dict().items()}, Path(folder, 'ranks.pth'))
        Path(folder, 'metrics.json').write_text(json.dumps(run.message_hub.get_scalar('val/episode/top1').current()))
    os._exit(0)  # gloo sometimes aborts an interpreter that is taken down: see compat/gloo_exit.py
