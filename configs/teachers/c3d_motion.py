# MMAction2's C3D on the embedded clips; its steps cost ten times the I3D's, so it gets half the epochs.
_base_ = [
    '../_base_/models/c3d_small.py',
    '../_base_/datasets/motion_clips_c3d.py',
    '../_base_/schedules/motion.py',
    '../_base_/runtime.py',
]
train_cfg = dict(max_epochs=6, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=1, end=6, T_max=5, convert_to_iter_based=True),
]
randomness = dict(seed=0)  # students are compared under one teacher, which can be made again
