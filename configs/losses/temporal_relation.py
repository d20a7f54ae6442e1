# Similarity of the frames of a clip.
_base_ = '../_base_/loss_pair.py'
term = dict(type='TemporalRelationLoss', at=('backbone.conv2', 'backbone.layer4'))
model = dict(terms=[_base_.kd, term])
