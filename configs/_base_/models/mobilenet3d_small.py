# A MobileNetV2 over space and time at half width, from scratch: depthwise kernels over frames where the TSM shifts
# channels. Of 16 frames it costs less than the TSM does of 8: kernels are split, and time is halved at once.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='MobileNet3d',
        widen_factor=0.5,
        factorized=True,
        temporal_strides=(2, 1, 1, 1, 2, 1, 1, 1),
        spatial_strides=(2, 1, 2, 2, 1, 1, 2, 1),
        last_channels=1024,
    ),
    cls_head=dict(
        type='I3DHead', num_classes=8, in_channels=1024, dropout_ratio=0.0, init_std=0.01, average_clips='prob'
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], format_shape='NCTHW'
    ),
)
