# ICKD: correlation of the channels.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', weight=0.9),
        dict(type='ICKDLoss', at=('backbone.conv2', 'backbone.layer4'), weight=1.0),
    ]
)
