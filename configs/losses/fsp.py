# FSP alone in the first epoch, then the labels and KD.
_base_ = '../_base_/loss_pair.py'
fsp = dict(type='FSPLoss', at=_base_.layers, weight=50.0, end=1)
model = dict(task_weight=dict(type='Warmup', begin=0, end=2), terms=[dict(_base_.kd, begin=1), fsp])
