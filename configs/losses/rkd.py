# RKD: distances and angles between clips.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(terms=[dict(type='KDLoss', at='logits', weight=0.9), dict(type='RKDLoss', at='pooled', weight=1.0)])
