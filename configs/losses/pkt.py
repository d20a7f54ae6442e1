# PKT: neighbour probabilities in a batch.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='PKTLoss', at='pooled')])
