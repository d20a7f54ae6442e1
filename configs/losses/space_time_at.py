# Attention split into where and when.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='SpaceTimeATLoss', at=('backbone.conv2', 'backbone.layer4'))])
