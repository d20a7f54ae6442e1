# CWD: a channel is a distribution over places. Temperature 4; for segmentation and detection 1.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='CWDLoss', at=('backbone.conv2', 'backbone.layer4'))])
