# LTSA: local tangent spaces, over a queue of clips.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[dict(type='KDLoss', at='logits', weight=0.9), dict(type='LTSALoss', at='pooled', weight=1.0, queue_size=64)]
)
