# Sequences of motions (tools/data/render_motion_clips.py data/motion_sequences --motions sequences), with a class for
# every frame: 32 frames that span the whole video. Student and teacher see the same ones.
_base_ = './motion_clips.py'
data_root = 'data/motion_sequences'
classes = ['left', 'right', 'up', 'down', 'clockwise', 'counterclockwise', 'zoom_in', 'zoom_out']
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=32, frame_interval=3, num_clips=1),
    dict(type='LoadFrameLabels', classes=classes),
    dict(type='DecordDecode'),
    dict(type='RandomCrop', size=56),
    dict(type='Resize', scale=(48, 48), keep_ratio=False),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=32, frame_interval=3, num_clips=1, test_mode=True),
    dict(type='LoadFrameLabels', classes=classes),
    dict(type='DecordDecode'),
    dict(type='CenterCrop', crop_size=56),
    dict(type='Resize', scale=(48, 48), keep_ratio=False),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(batch_size=4, dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(batch_size=8, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = dict(batch_size=8, dataset=dict(data_root=data_root, pipeline=test_pipeline))
val_evaluator = dict(_delete_=True, type='SegmentationMetric')
test_evaluator = dict(_delete_=True, type='SegmentationMetric')
