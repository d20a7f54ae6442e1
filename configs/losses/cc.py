# CC: the errors of consecutive clips.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(terms=[dict(type='KDLoss', at='logits', weight=0.9), dict(type='CCLoss', at='pooled', weight=0.02)])
