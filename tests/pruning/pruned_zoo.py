"""Tiny recognizers to prune: those of the zoo and a few families more, with weights that make every channel count."""

import torch
import zoo
from torch import nn
from zoo import SCRATCH, _i3d_head, _model

from mmkd_video.core.registry import build_model
from mmkd_video.recognizers.input_form import noise_clip

MORE = {
    'tsm_r18': (
        _model(
            'Recognizer2D',
            dict(type='ResNetTSM', depth=18, num_segments=4, shift_div=8, norm_eval=False, **SCRATCH),
            dict(type='TSMHead', num_segments=4, in_channels=512, dropout_ratio=0.5, is_shift=True),
            'NCHW',
        ),
        (4, 32, 32),
    ),
    'slowonly': (
        _model(
            'Recognizer3D',
            dict(type='ResNet3dSlowOnly', depth=18, pretrained=None, base_channels=8, conv1_kernel=(1, 7, 7),
                 conv1_stride_t=1, pool1_stride_t=1, inflate=(0, 0, 1, 1), lateral=False),
            _i3d_head(64),
            'NCTHW',
        ),
        (4, 32, 32),
    ),
    'r2plus1d': (
        _model(
            'Recognizer3D',
            dict(type='ResNet2Plus1d', depth=18, pretrained=None, pretrained2d=False, base_channels=8, norm_eval=False,
                 conv_cfg=dict(type='Conv2plus1d'), norm_cfg=dict(type='BN3d', requires_grad=True, eps=1e-3),
                 conv1_kernel=(3, 7, 7), conv1_stride_t=1, pool1_stride_t=1, inflate=(1, 1, 1, 1),
                 spatial_strides=(1, 2, 2, 2), temporal_strides=(1, 2, 2, 2), zero_init_residual=False),
            _i3d_head(64),
            'NCTHW',
        ),
        (8, 32, 32),
    ),
    'mvit': (
        _model(
            'Recognizer3D',
            dict(type='MViT', arch=dict(embed_dims=16, num_layers=4, num_heads=2, downscale_indices=[2]),
                 spatial_size=32, temporal_size=4, drop_path_rate=0.1),
            dict(type='MViTHead', in_channels=32),
            'NCTHW',
        ),
        (4, 32, 32),
    ),
    'uniformer': (
        _model(
            'Recognizer3D',
            dict(type='UniFormer', depth=[1, 1, 1, 1], embed_dim=[16, 16, 32, 32], head_dim=16, drop_path_rate=0.1,
                 img_size=32, pretrained2d=False),
            _i3d_head(32),
            'NCTHW',
        ),
        (4, 32, 32),
    ),
}  # fmt: skip

CONVOLUTIONS = ['i3d', 'slowonly', 'slowfast', 'r2plus1d', 'x3d', 'tsm_mobilenet', 'tsm_r18', 'tsn_r18']
TRANSFORMERS = ['timesformer', 'mvit', 'uniformer']


def config_of(name):
    """Return a fresh model config and its clip size."""
    if name not in MORE:
        return zoo.config_of(name)
    config, size = MORE[name]
    return _copy(config), size


def build(name, seed=0):
    """Return a recognizer in eval mode, random to the last batch norm, and one batch of noise for it."""
    config, size = config_of(name)
    torch.manual_seed(seed)
    model = build_model(config)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
    model.eval()
    return model, noise_clip(model, size)


def scores(model, inputs):
    """Return the class scores in eval mode."""
    model.eval()
    with torch.no_grad():
        return model(inputs, mode='tensor', stage='head')


def _copy(config):
    return {key: _copy(value) for key, value in config.items()} if isinstance(config, dict) else config
