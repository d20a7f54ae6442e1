# CRD: contrast with a bank of the training clips.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', weight=0.9),
        dict(type='CRDLoss', at='pooled', weight=0.8, num_samples=640, num_negatives=256),
    ]
)
