# SP: similarity of the clips of a batch.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='SPLoss', at=('backbone.conv2', 'backbone.layer4'))])
