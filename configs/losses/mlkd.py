# MLKD: predictions per clip, between clips and between classes.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='MLKDLoss', at='logits', weight=9.0)])
