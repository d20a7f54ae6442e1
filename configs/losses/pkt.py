# PKT: neighbour probabilities in a batch.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(terms=[dict(type='KDLoss', at='logits', weight=0.9), dict(type='PKTLoss', at='pooled', weight=30000.0)])
