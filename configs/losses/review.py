# ReviewKD: fused layers against the teacher's; the weight warms up.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', weight=0.9),
        dict(
            type='ReviewKDLoss',
            at=[('backbone.layer6', 'backbone.layer3'), ('backbone.conv2', 'backbone.layer4')],
            weight=dict(type='Warmup', value=1.0, end=4),
            mid_channels=64,
        ),
    ]
)
