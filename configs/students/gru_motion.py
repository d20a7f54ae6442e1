# Frame features of the MobileNetV2 of the embedded experiment, without its shifts, and a GRU over them (LRCN).
_base_ = './mobilenet_motion.py'
model = dict(
    backbone=dict(_delete_=True, type='FrameBackbone', net=dict(_base_.model.backbone, is_shift=False), num_segments=8),
    cls_head=dict(
        _delete_=True,
        type='RecurrentHead',
        num_classes=8,
        in_channels=1280,
        channels=64,
        cell='gru',
        readout='mean',
        dropout_ratio=0.0,
        average_clips='prob',
    ),
)
