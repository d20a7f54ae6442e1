# NKD: the target's and the normalised other classes' soft cross-entropy.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(terms=[dict(type='NKDLoss', at='logits', weight=1.0)])
