# MMAction2's TSM-MobileNetV2 of Kinetics-400, with shifts that see nothing of later frames: it can see a stream.
_base_ = 'mmaction::recognition/tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb.py'
model = dict(backbone=dict(type='OnlineMobileNetV2TSM'), cls_head=dict(type='OnlineTSMHead'))
