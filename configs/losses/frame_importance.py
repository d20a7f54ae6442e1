# Imitation weighted by how active the teacher is in a frame.
_base_ = '../_base_/loss_pair.py'
term = dict(type='FrameImportanceLoss', at=('backbone.conv2', 'backbone.layer4'))
model = dict(terms=[_base_.kd, term])
