# FBKD: attention, averages and non-local relations of the last map.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', weight=0.9),
        dict(type='FBKDLoss', at=('backbone.conv2', 'backbone.layer4'), weight=1.0),
    ]
)
