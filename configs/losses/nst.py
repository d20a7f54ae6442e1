# NST: the channels' distribution over the places.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='NSTLoss', at=('backbone.conv2', 'backbone.layer4'))])
