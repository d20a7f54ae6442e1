# KD: the softened class distribution.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(terms=[dict(type='KDLoss', at='logits', weight=0.9)])
