# RGB and optical flow of one clip, each through an I3D of half the width of i3d_small; a Transformer and a ConvGRU fuse
# what the two say.
_base_ = './i3d_small.py'
stream = dict(_base_.model.backbone, base_channels=8, out_indices=(2, 3))
model = dict(
    _delete_=True,
    type='MultiViewRecognizer',
    backbone=dict(type='MultiViewBackbone', views=dict(rgb=stream, flow=dict(stream, in_channels=2)), view_dropout=0.2),
    neck=dict(type='ViewFusion', views=dict(rgb=(32, 64), flow=(32, 64)), channels=64),
    cls_head=dict(type='I3DHead', num_classes=8, in_channels=64, dropout_ratio=0.0, average_clips='prob'),
    data_preprocessor=dict(
        type='MultiViewDataPreprocessor',
        views=dict(
            rgb=dict(type='ActionDataPreprocessor', mean=[114.75] * 3, std=[57.38] * 3, format_shape='NCTHW'),
            flow=dict(type='ActionDataPreprocessor', mean=[128.0] * 2, std=[32.0] * 2, format_shape='NCTHW'),
        ),
    ),
)
