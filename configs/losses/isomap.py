# Isomap: geodesic distances, over a queue of clips.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='IsomapLoss', at='pooled', queue_size=64)])
