"""A recognizer that exports in seconds, whose outputs depend on its inputs; and real clips for it."""

import numpy as np
import torch
from clips import encode

from mmkd_video.core.registry import build_model

CLASSES = 5


def tiny_config(average_clips='prob', **preprocess):
    """Return the model config of a TSN on one stage of a ResNet."""
    normalisation = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
    return dict(
        type='Recognizer2D',
        backbone=dict(
            type='ResNet', depth=18, pretrained=None, num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,),
            norm_eval=False,
        ),
        cls_head=dict(type='TSNHead', num_classes=CLASSES, in_channels=64, average_clips=average_clips),
        data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCHW', **(preprocess or normalisation)),
    )  # fmt: skip


def lively(model, clips=None, seed=0):
    """Make a random recognizer's outputs depend on its inputs.

    Layers get weights that keep the scale, batch norms the statistics of ``clips`` where there are some, and the head
    weights that are not timid.
    """
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=min(0.5, 4 / module.in_features**0.5))  # wider ones would saturate
        elif isinstance(module, (torch.nn.Conv2d, torch.nn.Conv3d)):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
        if isinstance(getattr(module, 'bias', None), torch.Tensor):
            torch.nn.init.zeros_(module.bias)  # it was drawn before the seed
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.ones_(module.weight)
            module.running_var.fill_(2.0)
            module.momentum = 1.0
    if clips is not None:
        model.train()
        with torch.no_grad():
            batch = model.data_preprocessor(dict(inputs=[torch.from_numpy(clip) for clip in clips], data_samples=None))
            model(batch['inputs'], mode='tensor')
    model.eval()
    return model


def tiny_model(**config):
    return lively(build_model(tiny_config(**config)))


def noise(count, shape=(4, 3, 32, 32), seed=0):
    """Return ``count`` clips of noise of different brightness, uint8."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 40 + 50 * (i % 5), shape, dtype=np.uint8) for i in range(count)]


def videos(root, count=6, frames=16, size=64):
    """Write a set of real videos of different brightness, with class names; return the annotation file."""
    root.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        encode(root / f'{i}.mp4', i % CLASSES, frames, size, seed=i)
    (root / 'list.txt').write_text('\n'.join(f'{i}.mp4 {i % CLASSES}' for i in range(count)) + '\n')
    (root / 'classes.txt').write_text('\n'.join('abcde') + '\n')
    return root / 'list.txt'
