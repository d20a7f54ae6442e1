# DKD: target and other classes apart; the weight warms up.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='DKDLoss', at='logits', weight=dict(type='Warmup', value=1.0, end=4))])
