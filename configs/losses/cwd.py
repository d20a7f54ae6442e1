# CWD: a channel is a distribution over places. Temperature 4, weight 1; for segmentation 1 and 5, detection 1 and 10.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='CWDLoss', at=('backbone.conv2', 'backbone.layer4'), weight=1.0)])
