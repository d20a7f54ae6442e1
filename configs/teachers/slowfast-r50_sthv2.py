# The teacher on Something-Something v2: MMAction2's SlowFast-R50 from Kinetics-400, 32 frames spread over the clip.
_base_ = [
    'mmaction::_base_/models/slowfast_r50.py',
    'mmaction::_base_/default_runtime.py',
    '../_base_/datasets/sthv2.py',
    '../_base_/schedules/sthv2.py',
]
zoo = 'https://download.openmmlab.com/mmaction/v1.0/recognition/slowfast'
name = 'slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb'
load_from = f'{zoo}/{name}/{name}_20220901-701b0f6f.pth'
model = dict(cls_head=dict(num_classes=174))
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='UniformSample', clip_len=32),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5, flip_label_map=_base_.sthv2_flip_label_map),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='DecordInit'),
    dict(type='UniformSample', clip_len=32, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
