# The student on Something-Something v2, alone: MMAction2's X3D-S, trained on from Kinetics-400.
_base_ = [
    'mmaction::_base_/models/x3d.py',
    'mmaction::_base_/default_runtime.py',
    '../_base_/datasets/sthv2.py',
    '../_base_/schedules/sthv2.py',
]
model = dict(cls_head=dict(num_classes=174))
zoo = 'https://download.openmmlab.com/mmaction/v1.0/recognition/x3d/facebook'
load_from = f'{zoo}/x3d_s_13x6x1_facebook-kinetics400-rgb_20201027-623825a0.pth'
