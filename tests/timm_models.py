"""Recognizers on image models of timm, as small as timm has them."""

NAMES = ('mobilenetv4_conv_small', 'fastvit_t8', 'repvit_m0_9', 'efficientnet_lite0')
CHANNELS = dict(mobilenetv4_conv_small=960, fastvit_t8=768, repvit_m0_9=384, efficientnet_lite0=1280)
FRAMES, CLASSES = 4, 5
# Where a stage in the middle ends, and how many channels it has; of 64 x 64 pixels 4 x 4 places are left there.
MIDDLE = dict(
    mobilenetv4_conv_small=('model.blocks.2', 96),
    fastvit_t8=('model.stages.2', 192),
    repvit_m0_9=('model.stages.2', 192),
    efficientnet_lite0=('model.blocks.4', 112),
)


def tsm(name, frames=FRAMES, classes=CLASSES, **backbone):
    """Return the config of a TSM on a model of timm."""
    net = dict(type='TimmBackbone', model=name, **backbone)
    return dict(
        type='Recognizer2D',
        backbone=dict(type='TemporalShiftBackbone', net=net, num_segments=frames),
        cls_head=dict(
            type='TSMHead', num_classes=classes, in_channels=CHANNELS[name], num_segments=frames, average_clips='prob'
        ),
        data_preprocessor=dict(type='TimmPreprocessor', model=name),
    )


def tsn(name, classes=CLASSES, **backbone):
    """Return the config of a TSN on a model of timm."""
    config = tsm(name, classes=classes, **backbone)
    config['backbone'] = config['backbone']['net']
    config['cls_head'] = dict(
        type='TSNHead', num_classes=classes, in_channels=CHANNELS[name], average_clips='prob', dropout_ratio=0.0
    )
    return config
