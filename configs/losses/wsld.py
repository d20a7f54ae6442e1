# WSLD: soft labels weighted by how far the student lags behind. The temperature is that of its code.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='WSLDLoss', at='logits', temperature=4.0)])
