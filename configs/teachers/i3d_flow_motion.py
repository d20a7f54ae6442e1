# The same I3D on optical flow, which is computed from the frames it would see.
_base_ = './i3d_motion.py'
flow = [dict(type='RGBToFlow'), dict(type='FormatShape', input_format='NCTHW'), dict(type='PackActionInputs')]
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='RandomCrop', size=56),
    dict(type='Resize', scale=(48, 48), keep_ratio=False),
    *flow,
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='CenterCrop', crop_size=56),
    dict(type='Resize', scale=(48, 48), keep_ratio=False),
    *flow,
]
model = dict(
    backbone=dict(type='ResNet3d', in_channels=2),
    data_preprocessor=dict(mean=[128.0] * 2, std=[32.0] * 2),
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
