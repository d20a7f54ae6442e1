# The TSM-MobileNetV2 of MMAction2 at half width, from scratch, on differences of frames: without these, hardly anything
# of a motion reaches the classifier of a random network. A quarter of the channels is shifted each way: an eighth of
# its narrow layers passes too little from frame to frame.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='DifferenceMobileNetV2TSM',
        pretrained=None,
        pretrained2d=False,
        widen_factor=0.5,
        num_segments=8,
        shift_div=4,
        strides=(1, 2, 2, 1, 1, 2, 1),
    ),
    cls_head=dict(
        type='TSMHead',
        num_classes=8,
        in_channels=1280,
        num_segments=8,
        dropout_ratio=0.0,
        init_std=0.01,
        average_clips='prob',
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], format_shape='NCHW'
    ),
)
