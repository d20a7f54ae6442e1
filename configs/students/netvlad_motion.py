# Frame features of the TSM of the embedded experiment, and NetVLAD over all places and times: it knows no order, so the
# shifts stay.
_base_ = './mobilenet_motion.py'
model = dict(
    backbone=dict(_delete_=True, type='FrameBackbone', net=_base_.model.backbone, num_segments=8),
    neck=dict(type='NetVLADPool', in_channels=1280, clusters=8, channels=64),
    cls_head=dict(
        _delete_=True, type='TSNHead', num_classes=8, in_channels=512, dropout_ratio=0.0, average_clips='prob'
    ),
)
