# The TSM-MobileNetV2 of the embedded experiment, with shifts and differences that see nothing of later frames.
_base_ = './tsm_mobilenet_small.py'
model = dict(
    backbone=dict(type='OnlineMobileNetV2TSM', difference_gain=2.0),
    cls_head=dict(type='OnlineTSMHead'),
)
