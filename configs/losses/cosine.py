# Cosine distance: the last map points the same way at every place, whatever its length.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='CosineLoss', at=('backbone.conv2', 'backbone.layer4'))])
