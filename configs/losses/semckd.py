# SemCKD: every student layer from all teacher layers.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='SemCKDLoss', at=_base_.layers)])
