# MLKD: predictions per clip, between clips and between classes. Weight 9 circulates, too: it is that of LogitStdKDLoss.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='MLKDLoss', at='logits')])
