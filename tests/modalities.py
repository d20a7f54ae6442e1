"""Small recognizers of other modalities than RGB, and raw samples as a pipeline packs them; all score 5 classes."""

import copy

import torch
import zoo
from mmaction.structures import ActionDataSample

JOINTS, PERSONS = 17, 2


def _graph(kind='STGCN', **backbone):
    settings = dict(type=kind, graph_cfg=dict(layout='coco', mode='spatial'), base_channels=8, num_stages=4,
                    inflate_stages=[3], down_stages=[3])  # fmt: skip
    head = dict(type='GCNHead', num_classes=zoo.CLASSES, in_channels=16)
    return dict(type='RecognizerGCN', backbone=dict(settings, **backbone), cls_head=head)


def _pathway(**settings):
    return dict(
        dict(stage_blocks=(1, 1, 1), lateral=True, fusion_kernel=3, base_channels=8, conv1_kernel=(1, 7, 7),
             with_pool2=False), **settings,
    )  # fmt: skip


MODELS = {
    'posec3d': dict(
        type='Recognizer3D',
        backbone=dict(
            type='ResNet3dSlowOnly', depth=18, pretrained=None, in_channels=JOINTS, base_channels=8, num_stages=3,
            out_indices=(2,), conv1_stride_s=1, pool1_stride_s=1, inflate=(0, 1, 1), spatial_strides=(2, 2, 2),
            temporal_strides=(1, 1, 2), dilations=(1, 1, 1),
        ),
        cls_head=dict(type='I3DHead', in_channels=32, num_classes=zoo.CLASSES, dropout_ratio=0.5),
    ),
    'stgcn': _graph(),
    'stgcnpp': _graph(gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn'),
    'agcn': _graph('AAGCN', gcn_attention=False),
    'rgbpose': dict(
        type='MMRecognizer3D',
        backbone=dict(
            type='RGBPoseConv3D', speed_ratio=4, channel_ratio=4,
            rgb_pathway=_pathway(num_stages=4, base_channels=16, stage_blocks=(1, 1, 1, 1), lateral_infl=1,
                                 lateral_activate=[0, 0, 1, 1], inflate=(0, 0, 1, 1)),
            pose_pathway=_pathway(num_stages=3, lateral_inv=True, lateral_infl=16, lateral_activate=(0, 1, 1),
                                  in_channels=JOINTS, out_indices=(2,), conv1_stride_s=1, conv1_stride_t=1,
                                  pool1_stride_s=1, pool1_stride_t=1, inflate=(0, 1, 1), spatial_strides=(2, 2, 2),
                                  temporal_strides=(1, 1, 1), dilations=(1, 1, 1)),
        ),
        cls_head=dict(type='RGBPoseHead', num_classes=zoo.CLASSES, in_channels=[512, 128],
                      loss_components=['rgb', 'pose'], loss_weights=[1.0, 1.0], average_clips='prob'),
        data_preprocessor=dict(
            type='MultiModalDataPreprocessor',
            preprocessors=dict(
                imgs=dict(type='ActionDataPreprocessor', **zoo.MEAN_STD, format_shape='NCTHW'),
                heatmap_imgs=dict(type='ActionDataPreprocessor'),
            ),
        ),
    ),
    'audio': dict(
        type='RecognizerAudio',
        backbone=dict(type='ResNet', depth=18, in_channels=1, norm_eval=False),
        cls_head=dict(type='TSNAudioHead', num_classes=zoo.CLASSES, in_channels=512, dropout_ratio=0.5),
    ),
    'flow': dict(
        type='Recognizer2D',
        backbone=dict(type='ResNet', depth=18, in_channels=10, pretrained=None, norm_eval=False),
        cls_head=dict(type='TSNHead', num_classes=zoo.CLASSES, in_channels=512, dropout_ratio=0.4),
        data_preprocessor=dict(
            type='ActionDataPreprocessor', mean=[128.0] * 10, std=[128.0] * 10, format_shape='NCHW'),
    ),
}  # fmt: skip
SHAPES = {
    'posec3d': (1, JOINTS, 8, 32, 32),
    **dict.fromkeys(('stgcn', 'stgcnpp', 'agcn'), (1, PERSONS, 8, JOINTS, 3)),
    'audio': (1, 1, 16, 40),
    'flow': (3, 10, 32, 32),
}
MAPS = {name: 'backbone' for name in ('posec3d', 'stgcn', 'stgcnpp', 'agcn')}
MAPS |= {'rgbpose': 'backbone[1]', 'audio': 'backbone', 'flow': 'backbone.layer4'}


def config_of(name):
    """Return a fresh model config."""
    return copy.deepcopy(MODELS[name])


def sample_of(name, seed=0):
    """Return one raw sample; a dict of tensors for a recognizer of several modalities."""
    generator = torch.Generator().manual_seed(seed)
    if name == 'rgbpose':
        pixels = torch.randint(0, 256, (1, 3, 4, 64, 64), dtype=torch.uint8, generator=generator)
        return dict(imgs=pixels, heatmap_imgs=torch.rand(1, JOINTS, 16, 16, 16, generator=generator))
    return torch.rand(SHAPES[name], generator=generator)


def collate(samples):
    """Return raw samples as a loader collates them."""
    if isinstance(samples[0], dict):
        return {key: [sample[key] for sample in samples] for key in samples[0]}
    return samples


def batch_of(name, clips=2, **extra):
    """Return a collated batch with labels."""
    samples = [ActionDataSample().set_gt_label(i % zoo.CLASSES) for i in range(clips)]
    return dict(inputs=collate([sample_of(name, i) for i in range(clips)]), data_samples=samples, **extra)
