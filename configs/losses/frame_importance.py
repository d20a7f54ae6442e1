# Imitation weighted by how active the teacher is in a frame.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', weight=0.9),
        dict(type='FrameImportanceLoss', at=('backbone.conv2', 'backbone.layer4'), weight=100.0),
    ]
)
