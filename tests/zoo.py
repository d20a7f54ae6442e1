"""Recognizers of every family, small enough for a test; all score 5 classes."""

import copy

import torch
from mmaction.structures import ActionDataSample

CLASSES = 5
SCRATCH = dict(pretrained=None, pretrained2d=False)
MEAN_STD = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


def _model(kind, backbone, head, layout, **preprocess):
    return dict(
        type=kind,
        backbone=backbone,
        cls_head=dict(dict(num_classes=CLASSES, average_clips='prob'), **head),
        data_preprocessor=dict(type='ActionDataPreprocessor', **(preprocess or MEAN_STD), format_shape=layout),
    )


def _resnet_3d(kind='ResNet3d', **backbone):
    return dict(
        dict(type=kind, depth=18, pretrained=None, pretrained2d=False, base_channels=8, conv1_kernel=(3, 5, 5)),
        **backbone,
    )


def _i3d_head(channels, **head):
    return dict(dict(type='I3DHead', in_channels=channels, spatial_type='avg', dropout_ratio=0.5), **head)


_SLOWFAST = dict(
    type='ResNet3dSlowFast',
    pretrained=None,
    resample_rate=4,
    speed_ratio=4,
    channel_ratio=8,
    slow_pathway=dict(
        type='resnet3d', depth=18, pretrained=None, lateral=True, base_channels=16, conv1_kernel=(1, 7, 7),
        conv1_stride_t=1, pool1_stride_t=1, inflate=(0, 0, 1, 1), fusion_kernel=5,
    ),
    fast_pathway=dict(
        type='resnet3d', depth=18, pretrained=None, lateral=False, base_channels=2, conv1_kernel=(5, 7, 7),
        conv1_stride_t=1, pool1_stride_t=1,
    ),
)  # fmt: skip

ZOO = {
    'tsm_mobilenet': (
        _model(
            'Recognizer2D',
            dict(type='MobileNetV2TSM', num_segments=8, shift_div=8, widen_factor=0.25, **SCRATCH),
            dict(type='TSMHead', num_segments=8, in_channels=1280, dropout_ratio=0.5, is_shift=True),
            'NCHW',
        ),
        (8, 32, 32),
    ),
    'tsn_r18': (
        _model(
            'Recognizer2D',
            dict(type='ResNet', depth=18, pretrained=None, norm_eval=False),
            dict(type='TSNHead', in_channels=512, dropout_ratio=0.4),
            'NCHW',
        ),
        (8, 32, 32),
    ),
    'tsn_r50': (
        _model(
            'Recognizer2D',
            dict(type='ResNet', depth=50, pretrained=None, norm_eval=False),
            dict(type='TSNHead', in_channels=2048, dropout_ratio=0.4),
            'NCHW',
        ),
        (8, 32, 32),
    ),
    'tsm_r50': (
        _model(
            'Recognizer2D',
            dict(type='ResNetTSM', depth=50, num_segments=8, shift_div=8, norm_eval=False, **SCRATCH),
            dict(type='TSMHead', num_segments=8, in_channels=2048, dropout_ratio=0.5, is_shift=True),
            'NCHW',
        ),
        (8, 32, 32),
    ),
    'i3d': (_model('Recognizer3D', _resnet_3d(), _i3d_head(64), 'NCTHW'), (8, 32, 32)),
    'c3d': (
        _model(
            'Recognizer3D',
            dict(type='C3D', pretrained=None, norm_cfg=None, act_cfg=dict(type='ReLU'), dropout_ratio=0.5),
            _i3d_head(4096, spatial_type=None),
            'NCTHW',
            mean=[104, 117, 128],
            std=[1, 1, 1],
        ),
        (16, 112, 112),
    ),
    'slowfast': (
        _model(
            'Recognizer3D',
            _SLOWFAST,
            dict(type='SlowFastHead', in_channels=144, spatial_type='avg', dropout_ratio=0.5),
            'NCTHW',
        ),
        (16, 32, 32),
    ),
    'slowonly': (
        _model('Recognizer3D', _resnet_3d('ResNet3dSlowOnly', conv1_kernel=(1, 5, 5)), _i3d_head(64), 'NCTHW'),
        (4, 32, 32),
    ),
    'r2plus1d': (
        _model(
            'Recognizer3D',
            _resnet_3d('ResNet2Plus1d', conv_cfg=dict(type='Conv2plus1d'), norm_cfg=dict(type='BN3d', eps=1e-3),
                       conv1_kernel=(3, 7, 7), conv1_stride_t=1, pool1_stride_t=1, inflate=(1, 1, 1, 1),
                       temporal_strides=(1, 2, 2, 2), zero_init_residual=False),
            _i3d_head(64),
            'NCTHW',
        ),
        (8, 32, 32),
    ),
    'tpn': (
        dict(
            _model(
                'Recognizer3D',
                _resnet_3d('ResNet3dSlowOnly', conv1_kernel=(1, 5, 5), out_indices=(2, 3)),
                dict(type='TPNHead', in_channels=2048, dropout_ratio=0.5),
                'NCTHW',
            ),
            neck=dict(
                type='TPN',
                in_channels=(32, 64),
                out_channels=32,
                spatial_modulation_cfg=dict(in_channels=(32, 64), out_channels=64),
                temporal_modulation_cfg=dict(downsample_scales=(2, 2)),
                upsample_cfg=dict(scale_factor=(1, 1, 1)),
                downsample_cfg=dict(downsample_scale=(1, 1, 1)),
                level_fusion_cfg=dict(in_channels=(32, 32), mid_channels=(32, 32), out_channels=64),
                aux_head_cfg=dict(out_channels=CLASSES, loss_weight=0.5),
            ),
        ),
        (4, 32, 32),
    ),
    'x3d': (
        _model(
            'Recognizer3D',
            dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=1),
            dict(type='X3DHead', in_channels=432, spatial_type='avg', dropout_ratio=0.5),
            'NCTHW',
            mean=[114.75] * 3,
            std=[57.38] * 3,
        ),
        (8, 64, 64),
    ),
    'swin3d': (
        _model(
            'Recognizer3D',
            dict(type='SwinTransformer3D', arch='tiny', pretrained=None, pretrained2d=False, patch_size=(2, 4, 4),
                 window_size=(8, 7, 7), drop_path_rate=0.1, patch_norm=True),
            _i3d_head(768),
            'NCTHW',
        ),
        (8, 64, 64),
    ),
    'mvit': (
        _model(
            'Recognizer3D',
            dict(type='MViT', spatial_size=32, temporal_size=8, drop_path_rate=0.2,
                 arch=dict(embed_dims=16, num_layers=4, num_heads=1, downscale_indices=[1, 2])),
            dict(type='MViTHead', in_channels=64),
            'NCTHW',
        ),
        (8, 32, 32),
    ),
    'uniformer': (
        _model(
            'Recognizer3D',
            dict(type='UniFormer', depth=[1, 1, 1, 1], img_size=64, embed_dim=[16, 16, 32, 32], head_dim=16,
                 drop_path_rate=0.1, pretrained2d=False),
            _i3d_head(32),
            'NCTHW',
            mean=[114.75] * 3,
            std=[57.375] * 3,
        ),
        (8, 64, 64),
    ),
    'timesformer': (
        _model(
            'Recognizer3D',
            dict(type='TimeSformer', num_frames=8, img_size=32, patch_size=16, embed_dims=64, pretrained=None,
                 num_transformer_layers=2, num_heads=4, dropout_ratio=0.1, attention_type='divided_space_time'),
            dict(type='TimeSformerHead', in_channels=64),
            'NCTHW',
            mean=[127.5] * 3,
            std=[127.5] * 3,
        ),
        (8, 32, 32),
    ),
}  # fmt: skip

# Not among those that every test of all families runs on.
MORE = {
    'uniformerv2': (
        dict(
            type='Recognizer3D',
            backbone=dict(
                type='UniFormerV2', input_resolution=32, patch_size=16, width=32, layers=2, heads=2, t_size=4,
                dw_reduction=1.5, temporal_downsample=False, no_lmhra=True, double_lmhra=True, return_list=[1],
                n_layers=1, n_dim=32, n_head=2, mlp_factor=4.0, mlp_dropout=[0.5], clip_pretrained=False,
                pretrained=None,
            ),
            cls_head=dict(type='UniFormerHead', num_classes=CLASSES, average_clips='prob', in_channels=32),
            data_preprocessor=dict(
                type='ActionDataPreprocessor', mean=[114.75] * 3, std=[57.375] * 3, format_shape='NCTHW'),
        ),
        (4, 32, 32),
    ),
    'vit': (
        _model(
            'Recognizer3D',
            dict(type='VisionTransformer', img_size=32, patch_size=8, embed_dims=24, depth=3, num_heads=2, mlp_ratio=2,
                 qkv_bias=True, num_frames=4, norm_cfg=dict(type='LN', eps=1e-6)),
            dict(type='TimeSformerHead', in_channels=24),
            'NCTHW',
        ),
        (4, 32, 32),
    ),
    'torchvision_swin3d': (
        dict(
            type='Recognizer3D',
            backbone=dict(type='VisionBackbone', library='torchvision', model='swin3d_t', num_classes=CLASSES),
            cls_head=dict(type='ScoresHead', num_classes=CLASSES, average_clips='prob'),
            data_preprocessor=dict(type='ActionDataPreprocessor', **MEAN_STD, format_shape='NCTHW'),
        ),
        (8, 64, 64),
    ),
}  # fmt: skip


def config_of(name):
    """Return a fresh model config and the clip size ``(frames, height, width)`` it takes."""
    config, size = {**ZOO, **MORE}[name]
    return copy.deepcopy(config), size


def clip_for(config, size, seed=0):
    """Return one raw uint8 clip as a pipeline packs it: (T, C, H, W) for 2D, (1, C, T, H, W) for 3D recognizers."""
    frames, height, width = size
    shape = (frames, 3, height, width)
    clip = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return clip if config['data_preprocessor']['format_shape'] == 'NCHW' else clip.transpose(0, 1)[None]


def batch_for(config, size, clips=2, seed=0, **extra):
    """Return a collated batch of random clips with labels."""
    samples = [ActionDataSample().set_gt_label((seed + i) % CLASSES) for i in range(clips)]
    return dict(inputs=[clip_for(config, size, seed + i) for i in range(clips)], data_samples=samples, **extra)
