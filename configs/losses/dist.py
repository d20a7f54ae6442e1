# DIST: correlation of predictions between classes and between clips.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(terms=[dict(type='DISTLoss', at='logits', weight=2.0)])
