# MARS: the pooled feature; its teacher sees optical flow in the paper.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(terms=[dict(type='KDLoss', at='logits', weight=0.9), dict(type='MARSLoss', at='pooled', weight=50.0)])
