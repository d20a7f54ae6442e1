# The teacher on Something-Something v2: MMAction2's SlowFast-R50, trained on from Kinetics-400.
_base_ = [
    'mmaction::_base_/models/slowfast_r50.py',
    'mmaction::_base_/default_runtime.py',
    '../_base_/datasets/sthv2_slowfast.py',
    '../_base_/schedules/sthv2.py',
]
model = dict(cls_head=dict(num_classes=174))
zoo = 'https://download.openmmlab.com/mmaction/v1.0/recognition/slowfast'
name = 'slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb'
load_from = f'{zoo}/{name}/{name}_20220901-701b0f6f.pth'
