# WSLD: soft labels weighted by how far the student lags behind. Temperature and weight are those of its code.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='WSLDLoss', at='logits', temperature=4.0, weight=2.25)])
