# Networks that see the embedded clips as differences of frames. Batches of 8: what they need here is steps. A
# classifier that reads 1280 features, all of them positive, becomes unstable at a tenth of the rate that the layers
# below it need.
_base_ = './motion.py'
max_epochs = 6
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(
    optimizer=dict(lr=0.04),
    paramwise_cfg=dict(custom_keys=dict(cls_head=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=20.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=40),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=1,
        end=max_epochs,
        T_max=max_epochs - 1,
        convert_to_iter_based=True,
    ),
]
