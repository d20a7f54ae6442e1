# KD-SVD: leading channel directions of consecutive layers.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', weight=0.9),
        dict(
            type='KDSVDLoss',
            at=[('backbone.layer6', 'backbone.layer3'), ('backbone.conv2', 'backbone.layer4')],
            weight=1.0,
        ),
    ]
)
