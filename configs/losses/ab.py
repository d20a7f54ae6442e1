# AB alone in the first epoch, then the labels and KD. A sum over all places of a clip: hence the small weight.
_base_ = '../_base_/loss_pair.py'
ab = dict(type='ABLoss', at=('backbone.conv2:pre', 'backbone.layer4:pre'), weight=0.001, end=1)
model = dict(task_weight=dict(type='Warmup', begin=0, end=2), terms=[dict(_base_.kd, begin=1), ab])
