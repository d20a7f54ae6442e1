# MGD: restore the teacher's map from one with hidden tubes.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', weight=0.9),
        dict(type='MGDLoss', at=('backbone.conv2', 'backbone.layer4'), weight=7e-05),
    ]
)
