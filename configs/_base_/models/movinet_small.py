# A causal MoViNet-A0 at half width, from scratch. It halves height and width four times instead of five: of 48 x 48
# pixels five halvings leave 2 x 2 places, too few to tell which way something turns.
model = dict(
    type='Recognizer3D',
    backbone=dict(type='MoViNet', arch='A0', widen_factor=0.5, spatial_strides=(2, 1, 2, 2, 1, 2)),
    cls_head=dict(
        type='MoViNetHead',
        num_classes=8,
        in_channels=240,
        hidden_channels=512,
        dropout_ratio=0.0,
        average_clips='prob',
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], format_shape='NCTHW'
    ),
)
