# HCL: pyramids of two layers.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='HCLLoss', at=_base_.layers)])
