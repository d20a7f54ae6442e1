# KD: the softened class distribution, balanced against the labels. The classic recipe: weight=0.9, task_weight=0.1.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='KDLoss', at='logits')])
