# The same videos for a teacher that sees what changes between 33 frames.
_base_ = './video_folder.py'
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SpanSample', clip_len=33),
    dict(type='DecordDecode'),
    dict(type='RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(type='Resize', scale=(48, 48), keep_ratio=False),
    dict(type='Flip', flip_ratio=float('{{$FLIP:0}}')),
    dict(type='JitterLevels'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='SpanSample', clip_len=33, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(54, 54), keep_ratio=False),
    dict(type='CenterCrop', crop_size=48),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
