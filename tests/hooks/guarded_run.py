"""A training small enough to run in every test: one linear layer on noise, with MMEngine's own runner."""

from pathlib import Path

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

import mmkd_video  # noqa: F401  the stack must be mended
from mmkd_video.core.registry import METRICS, MODELS


@DATASETS.register_module(force=True)
class GuardedNoise(Dataset):
    """Six samples."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.full((4,), float(index))


@MODELS.register_module(force=True)
class GuardedToy(BaseModel):
    def __init__(self, width: int = 4, tags: tuple = ()) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def forward(self, *inputs, mode='loss'):
        batch = torch.stack(inputs)
        return {'loss': self.linear(batch).square().mean()} if mode == 'loss' else [{} for _ in inputs]


@METRICS.register_module(force=True)
class ScriptedScore(BaseMetric):
    """Reports the scores of a list, one for each validation."""

    default_prefix = 'acc'
    scores: list = []

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return {'top1': self.scores.pop(0)}


def make_runner(work_dir: Path, epochs: int = 3, hook: dict | None = None, guard: bool = True, **settings) -> Runner:
    """Return a runner of three iterations an epoch with the guard."""
    loader = dict(
        dataset=dict(type='GuardedNoise'),
        sampler=dict(type='DefaultSampler', shuffle=False),
        batch_size=2,
        num_workers=0,
    )
    config = dict(
        model=dict(type='GuardedToy'),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', **(hook or {'interval': 1}))),
        custom_hooks=[dict(type='CheckpointGuardHook')] if guard else [],
        default_scope='mmaction',
        log_level='WARNING',
        randomness=dict(seed=0),
        experiment_name=f'{work_dir.name}-{len(list(work_dir.iterdir())) if work_dir.exists() else 0}-{id(settings)}',
    )
    config.update(settings)
    return Runner(cfg=dict(config), **config)


def validated(work_dir, scores, epochs, **hook):
    """Return a runner that validates after every epoch, with these scores in turn, and keeps the best checkpoint."""
    ScriptedScore.scores = list(scores)
    loader = make_runner(work_dir / 'unused', guard=False)._train_dataloader
    return make_runner(
        work_dir,
        epochs=epochs,
        hook=dict(interval=1, save_best='acc/top1', rule='greater', **hook),
        val_dataloader=loader,
        val_cfg=dict(),
        val_evaluator=dict(type='ScriptedScore'),
        resume=True,
    )
