# Attention transfer over all places in space and time.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='ATLoss', at=('backbone.conv2', 'backbone.layer4'))])
