# MARS: the pooled feature; its teacher sees optical flow in the paper.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='MARSLoss', at='pooled')])
