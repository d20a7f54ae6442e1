# The student on Something-Something v2, alone: MMAction2's X3D-S from Kinetics-400, 13 frames spread over the clip.
_base_ = [
    'mmaction::_base_/models/x3d.py',
    'mmaction::_base_/default_runtime.py',
    '../_base_/datasets/sthv2.py',
    '../_base_/schedules/sthv2.py',
]
zoo = 'https://download.openmmlab.com/mmaction/v1.0/recognition/x3d/facebook'
load_from = f'{zoo}/x3d_s_13x6x1_facebook-kinetics400-rgb_20201027-623825a0.pth'
model = dict(cls_head=dict(num_classes=174))
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='UniformSample', clip_len=13),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 182)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(160, 160), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5, flip_label_map=_base_.sthv2_flip_label_map),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='DecordInit'),
    dict(type='UniformSample', clip_len=13, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 182)),
    dict(type='CenterCrop', crop_size=182),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
