# FitNets: the last map itself.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='FitNetLoss', at=('backbone.conv2', 'backbone.layer4'))])
