# FBKD: attention, averages and non-local relations of the last map.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='FBKDLoss', at=_base_.layers[-1])])
