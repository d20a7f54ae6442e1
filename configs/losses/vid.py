# VID: likelihood with a learned variance.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='VIDLoss', at=('backbone.conv2', 'backbone.layer4'))])
