# The teacher of the embedded experiment: on differences of frames it learns in half the steps.
_base_ = [
    '../_base_/models/i3d_small.py',
    '../_base_/datasets/motion_clips_3d.py',
    '../_base_/schedules/motion_differences.py',
    '../_base_/runtime.py',
]
model = dict(backbone=dict(type='DifferenceResNet3d'))
max_epochs = 8
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=1,
        end=max_epochs,
        T_max=max_epochs - 1,
        convert_to_iter_based=True,
    ),
]
train_dataloader = dict(batch_size=8)
randomness = dict(seed=0)  # students are compared under one teacher, which can be made again
