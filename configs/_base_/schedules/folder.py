# As many steps as a hundred clips need, or twelve epochs where there are thousands; the schedule follows. The learning
# rate is tried at a third and at three times of what stands here, shortly, before a training begins.
budget = dict(min_steps=400, min_epochs=12)
prepare = dict(rates=[0.3, 3.0])
train_cfg = dict(type='EpochBasedTrainLoop', val_begin=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, nesterov=True, weight_decay=5e-4),
    clip_grad=dict(max_norm=5.0, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, convert_to_iter_based=True),
]
