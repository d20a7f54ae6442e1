# KD-SVD: leading channel directions of consecutive layers.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='KDSVDLoss', at=_base_.layers)])
