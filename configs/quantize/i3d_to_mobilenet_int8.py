# The main example's student, trained on with the rounding errors of int8 while the same teacher teaches it in float.
_base_ = '../distill/i3d_to_mobilenet.py'
load_from = 'work_dirs/i3d_to_mobilenet/epoch_6.pth'  # of tools/train.py with the config above
train_cfg = dict(max_epochs=2)
custom_hooks = [*_base_.custom_hooks, dict(type='QATHook')]
optim_wrapper = dict(optimizer=dict(lr=0.002))
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=2, T_max=2, convert_to_iter_based=True)]
