# ICKD: correlation of the channels.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='ICKDLoss', at=('backbone.conv2', 'backbone.layer4'))])
