# Changes between consecutive frames.
_base_ = '../_base_/loss_pair.py'
term = dict(type='TemporalDifferenceLoss', at=('backbone.conv2', 'backbone.layer4'))
model = dict(terms=[_base_.kd, term])
