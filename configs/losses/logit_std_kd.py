# KD of standardised logits.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='LogitStdKDLoss', at='logits')])
