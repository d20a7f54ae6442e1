# Your own videos: 8 frames spread over each, whatever its size and length. The folder holds train.txt, val.txt and
# test.txt, one `path label` a line; it comes from the environment, so that teacher and student read the same one:
#   CLIPS=<folder> CLASSES=<number> python tools/train.py ...
# No flips: they would make a 'left' a 'right'. Where that does not matter, add dict(type='Flip', flip_ratio=0.5).
_base_ = './motion_clips.py'
data_root = '{{$CLIPS:data/my_clips}}'
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='UniformSample', clip_len=8),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(72, 72), keep_ratio=False),
    dict(type='RandomCrop', size=64),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='UniformSample', clip_len=8, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(72, 72), keep_ratio=False),
    dict(type='CenterCrop', crop_size=64),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(num_workers=2, dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(batch_size=16, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = dict(batch_size=16, dataset=dict(data_root=data_root, pipeline=test_pipeline))
