# MGD: restore the teacher's map from one with hidden tubes.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='MGDLoss', at=('backbone.conv2', 'backbone.layer4'))])
