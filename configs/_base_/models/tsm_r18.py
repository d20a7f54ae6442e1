# TSM on ResNet-18 and differences of frames, from scratch.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='DifferenceResNetTSM',
        depth=18,
        pretrained=None,
        pretrained2d=False,
        num_segments=8,
        shift_div=4,
        norm_eval=False,
    ),
    cls_head=dict(
        type='TSMHead',
        num_classes=8,
        in_channels=512,
        num_segments=8,
        dropout_ratio=0.0,
        init_std=0.01,
        average_clips='prob',
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], format_shape='NCHW'
    ),
)
