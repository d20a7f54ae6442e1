# The student on Kinetics-400, alone: a MobileNetV4 of timm with TSM's shift, trained as MMAction2's TSM-MobileNetV2 is.
# `pretrained='mobilenetv4_conv_small.safetensors'` in `net` begins from ImageNet's weights, a local file.
_base_ = 'mmaction::recognition/tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb.py'
name = 'mobilenetv4_conv_small'
model = dict(
    backbone=dict(
        _delete_=True,
        type='TemporalShiftBackbone',
        net=dict(type='TimmBackbone', model=name, pretrained=None),
        num_segments=8,
    ),
    cls_head=dict(in_channels=960),
    data_preprocessor=dict(_delete_=True, type='TimmPreprocessor', model=name),
)
