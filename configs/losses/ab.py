# AB as a first stage, followed by KD.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', weight=0.9),
        dict(type='ABLoss', at=('backbone.conv2.activate:pre', 'backbone.layer4.1.relu:pre'), weight=0.001, end=2),
    ]
)
