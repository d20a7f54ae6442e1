# Factor transfer on the last map.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='FTLoss', at=('backbone.conv2', 'backbone.layer4'))])
