# RKD: distances and angles between clips.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='RKDLoss', at='pooled')])
