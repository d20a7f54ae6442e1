# SemCKD: every student layer from all teacher layers.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', weight=0.9),
        dict(
            type='SemCKDLoss',
            at=[('backbone.layer6', 'backbone.layer3'), ('backbone.conv2', 'backbone.layer4')],
            weight=400.0,
        ),
    ]
)
