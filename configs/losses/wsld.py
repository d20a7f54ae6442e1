# WSLD: soft labels weighted by how far the student lags behind.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(terms=[dict(type='WSLDLoss', at='logits', weight=2.5)])
