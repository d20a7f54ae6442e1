# LLE: reconstruction from neighbours, over a queue of clips.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='LLELoss', at='pooled', weight=1.0, queue_size=64)])
