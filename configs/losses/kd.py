# KD: the softened class distribution.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='KDLoss', at='logits', weight=0.9)])
