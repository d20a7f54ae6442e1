# DKD: target and other classes apart.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='DKDLoss', at='logits')])
