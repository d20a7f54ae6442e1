# UT-Interaction: 120 clips of six interactions of two people, split by recording; 8 frames spread over the clip.
# The folder comes from the environment, so that every config that reads this one (the teacher's too) follows:
#   UT_INTERACTION=/data/ut_interaction python tools/train.py ...
_base_ = './motion_clips.py'
data_root = '{{$UT_INTERACTION:data/ut_interaction}}'
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='UniformSample', clip_len=8),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(80, 72), keep_ratio=False),
    dict(type='RandomCrop', size=64),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='UniformSample', clip_len=8, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(80, 72), keep_ratio=False),
    dict(type='CenterCrop', crop_size=64),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(data_root=data_root, data_prefix=dict(video='videos'), pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=8, dataset=dict(data_root=data_root, data_prefix=dict(video='videos'), pipeline=test_pipeline)
)
test_dataloader = dict(
    batch_size=8, dataset=dict(data_root=data_root, data_prefix=dict(video='videos'), pipeline=test_pipeline)
)
