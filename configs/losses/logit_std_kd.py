# KD of standardised logits.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(terms=[dict(type='LogitStdKDLoss', at='logits', weight=9.0)])
