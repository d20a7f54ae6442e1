# LTSA: local tangent spaces, over a queue of clips.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='LTSALoss', at='pooled', queue_size=64)])
