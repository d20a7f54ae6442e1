# OFD: pre-activations above the margins of the teacher's batch norm.
_base_ = '../_base_/loss_pair.py'
at, connector = ('backbone.conv2:pre', 'backbone.layer4:pre'), dict(type='ProjectionConnector', norm=True)
model = dict(terms=[_base_.kd, dict(type='OFDLoss', at=at, connector=connector)])
