# VID: likelihood with a learned variance.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', weight=0.9),
        dict(type='VIDLoss', at=('backbone.conv2', 'backbone.layer4'), weight=1.0),
    ]
)
