# The main example, pruned while it is distilled: the MobileNet loses half of its parameters in four steps.
_base_ = '../distill/i3d_to_mobilenet.py'
train_cfg = dict(max_epochs=10)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='PruningHook', target=dict(params=0.5), begin=2, end=5, steps=4, round_to=8),
]
# Warm-up, then one cosine to the end, so that epochs at a low rate follow the last step.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=1, end=10, T_max=9, convert_to_iter_based=True),
]
