# SRRL: what the teacher's classifier sees in the student's feature.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(terms=[dict(type='KDLoss', at='logits', weight=0.9), dict(type='SRRLLoss', at='pooled', weight=1.0)])
