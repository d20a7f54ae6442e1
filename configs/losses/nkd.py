# NKD: the target's and the normalised other classes' soft cross-entropy.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='NKDLoss', at='logits')])
