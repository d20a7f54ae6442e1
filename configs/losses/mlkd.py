# MLKD: predictions per clip, between clips and between classes.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(terms=[dict(type='MLKDLoss', at='logits', weight=9.0)])
