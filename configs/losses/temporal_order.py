# Directions in which the feature moves from frame to frame.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='TemporalOrderLoss', at=('backbone.conv2', 'backbone.layer4'))])
