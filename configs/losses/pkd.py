# PKD: the last map up to scale and shift of each channel. Balanced; the authors' weights are for detection, 10 or 6.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='PKDLoss', at=('backbone.conv2', 'backbone.layer4'))])
