"""Recognizers of several views, small enough for a test."""

import torch
from mmaction.structures import ActionDataSample

from mmkd_video.core.registry import MODELS

CLASSES = 5
STREAM = dict(
    type='ResNet3d', depth=18, num_stages=2, out_indices=(0, 1), spatial_strides=(1, 2), temporal_strides=(1, 1),
    dilations=(1, 1), inflate=(1, 1), base_channels=4, conv1_kernel=(3, 3, 3), with_pool2=False, pretrained=None,
    pretrained2d=False,
)  # fmt: skip
RGB = dict(type='ActionDataPreprocessor', mean=[100.0] * 3, std=[60.0] * 3, format_shape='NCTHW')
FLOW = dict(type='ActionDataPreprocessor', mean=[128.0] * 2, std=[32.0] * 2, format_shape='NCTHW')
TWO = dict(rgb=dict(STREAM), flow=dict(STREAM, in_channels=2))
NORMS = dict(rgb=RGB, flow=FLOW)
THREE = dict(scene=dict(STREAM), person0=dict(STREAM), person1='person0')


def config_of(views=None, norms=None, view_dropout=0.0, **neck):
    """Return a model config; of RGB and flow by default."""
    views = views or TWO
    channels = {name: each if isinstance(each, str) else (4, 8) for name, each in views.items()}
    return dict(
        type='MultiViewRecognizer',
        backbone=dict(type='MultiViewBackbone', views=views, view_dropout=view_dropout),
        neck=dict(dict(type='ViewFusion', views=channels, channels=16, grid=(2, 2, 2)), **neck),
        cls_head=dict(
            type='I3DHead', num_classes=CLASSES, in_channels=16, dropout_ratio=0.0, init_std=0.5, average_clips='prob'
        ),
        data_preprocessor=dict(type='MultiViewDataPreprocessor', views=norms or NORMS),
    )


def built(seed=0, **settings):
    torch.manual_seed(seed)
    return MODELS.build(config_of(**settings))


def inputs_of(clips=2, channels=(3, 2), names=('rgb', 'flow'), times=1, seed=0):
    """Return normalised inputs; all views are there."""
    generator = torch.Generator().manual_seed(seed)
    made = {
        name: torch.randn(clips, times, depth, 4, 16, 16, generator=generator)
        for name, depth in zip(names, channels, strict=True)
    }
    return dict(made, present=torch.ones(clips, len(names)))


def batch_of(clips=2, seed=0, missing=()):
    """Return a collated batch of raw samples; ``missing`` are pairs of clip and view."""
    generator = torch.Generator().manual_seed(seed)
    shapes = dict(rgb=(1, 3, 4, 16, 16), flow=(1, 2, 4, 16, 16))
    inputs = {
        name: [torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator) for _ in range(clips)]
        for name, shape in shapes.items()
    }
    there = torch.ones(clips, 2)
    for clip, name in missing:
        there[clip, sorted(shapes).index(name)] = 0
    inputs['present'] = list(there)
    return dict(inputs=inputs, data_samples=[ActionDataSample().set_gt_label(i % CLASSES) for i in range(clips)])


def scores(model, inputs):
    """Return class scores outside of training."""
    model.eval()
    with torch.no_grad():
        return model.extract_feat(dict(inputs), stage='head')[0]
