# Factor transfer with its paraphraser, trained alone in the first two epochs.
_base_ = '../distill/i3d_to_mobilenet.py'
transfer = dict(type='Warmup', value=1.0, begin=1, end=3)
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', weight=0.9),
        dict(type='ParaphrasedFTLoss', at=('backbone.conv2', 'backbone.layer4'), weight=500.0, transfer=transfer),
    ]
)
