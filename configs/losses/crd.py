# CRD: contrast with a bank of the training clips.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='CRDLoss', at='pooled', num_samples=640, num_negatives=256)])
