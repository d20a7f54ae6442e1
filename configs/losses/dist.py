# DIST: correlation of predictions between classes and between clips.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='DISTLoss', at='logits')])
