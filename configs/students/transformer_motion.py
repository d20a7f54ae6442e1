# Frame features of the MobileNetV2 of the embedded experiment, without its shifts, and a causal Transformer over them.
_base_ = './mobilenet_motion.py'
model = dict(
    backbone=dict(_delete_=True, type='FrameBackbone', net=dict(_base_.model.backbone, is_shift=False), num_segments=8),
    neck=dict(type='FrameTransformer', in_channels=1280, channels=64, layers=2, window=8, causal=True),
    cls_head=dict(
        _delete_=True, type='TSNHead', num_classes=8, in_channels=64, dropout_ratio=0.0, average_clips='prob'
    ),
)
