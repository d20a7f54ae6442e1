# CC: the errors of consecutive clips.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='CCLoss', at='pooled')])
