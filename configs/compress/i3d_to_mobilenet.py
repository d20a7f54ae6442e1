# The whole way of the main example: distil, prune while distilling, export, quantize, check and measure.
_base_ = '../distill/i3d_to_mobilenet.py'
compress = dict(
    alone=True,  # train the student alone too, for the table
    prune=dict(
        hook=dict(target=dict(flops=0.5), criterion='taylor', begin=0, end=2, steps=3, round_to=8),
        config=dict(  # what differs from the training above
            train_cfg=dict(max_epochs=6),
            optim_wrapper=dict(optimizer=dict(lr=0.02)),
            param_scheduler=[
                dict(type='CosineAnnealingLR', by_epoch=True, begin=2, end=6, T_max=4, convert_to_iter_based=True)
            ],
        ),
    ),
    export=dict(clips=64),
    quantize=dict(calibration=256),
    benchmark=dict(target_speedup=25.0, target_drop=1.0),
)
