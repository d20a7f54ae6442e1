"""Tiny vision transformers that see some of their tokens, and a mask that is not drawn."""

import copy

import torch
import zoo

from mmkd_video.core.registry import MODELS, TASK_UTILS
from mmkd_video.masking import TokenMask

GRID, SIZE, LAYERS = (2, 4, 4), (4, 32, 32), 3


@TASK_UTILS.register_module()
class EveryThirdMask(TokenMask):
    """A mask of somebody else, with nothing random: every third token, later ones in later clips."""

    def __init__(self) -> None:
        super().__init__(2 / 3)

    def draw(self, clips, grid, weights):
        total = grid[0] * grid[1] * grid[2]
        return torch.arange(0, total - 2, 3).expand(clips, -1) + torch.arange(clips)[:, None] % 3


def student(**backbone):
    config, _ = zoo.config_of('vit')
    config['backbone'].update(backbone)
    config['cls_head']['in_channels'] = config['backbone']['embed_dims']
    return config


def layer(index, **keys):
    """Return a term that aligns one layer of two transformers of one grid."""
    tap = f'backbone.blocks.{index}'
    return dict(dict(type='CosineLoss', at=tap, name=f'layer{index}', weight=1.0), **keys)


def config(masking, terms=None, teacher=None, **extra):
    theirs = student(embed_dims=32, num_heads=4) if teacher is None else teacher
    return dict(
        dict(
            type='Distiller',
            student=student(),
            teacher=theirs if 'config' in theirs else dict(config=theirs, checkpoint=None),
            terms=copy.deepcopy(terms or [layer(index) for index in range(LAYERS)]),
            masking=masking,
        ),
        **extra,
    )


def build(masking, seed=0, **given):
    torch.manual_seed(seed)
    return MODELS.build(config(masking, **given)).train()


def batch(model, clips=2, seed=0):
    return model.data_preprocessor(zoo.batch_for(zoo.config_of('vit')[0], SIZE, clips=clips, seed=seed), True)


def step(model, data, seed=0):
    """Run a step; return its losses, and the gradients of all that is trained by name."""
    model.zero_grad()
    model.set_progress(0, 0, 1, 10)
    torch.manual_seed(seed)
    losses = model(**data, mode='loss')
    model.parse_losses(losses)[0].backward()
    return losses, {name: each.grad.clone() for name, each in model.named_parameters() if each.requires_grad}
