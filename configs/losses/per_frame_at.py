# Attention transfer with one map per frame.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='PerFrameATLoss', at=('backbone.conv2', 'backbone.layer4'))])
