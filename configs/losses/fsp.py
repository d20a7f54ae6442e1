# FSP as a first stage, followed by KD.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', weight=0.9),
        dict(
            type='FSPLoss',
            at=[('backbone.layer6', 'backbone.layer3'), ('backbone.conv2', 'backbone.layer4')],
            weight=50.0,
            end=2,
        ),
    ]
)
