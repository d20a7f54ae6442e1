# Training on from Kinetics-400, 8 processes of 8 clips: PySlowFast's epochs and steps for SlowFast on this data set.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=22, val_begin=1, val_interval=2)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.03, momentum=0.9, weight_decay=1e-4), clip_grad=dict(max_norm=40, norm_type=2)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=22, milestones=[14, 18], gamma=0.1),
]
auto_scale_lr = dict(enable=False, base_batch_size=64)
