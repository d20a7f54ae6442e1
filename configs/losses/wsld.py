# WSLD: soft labels weighted by how far the student lags behind.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='WSLDLoss', at='logits', weight=2.5)])
