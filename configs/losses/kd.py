# KD: the softened class distribution. The labels count in full; the classic recipe adds task_weight=0.1.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='KDLoss', at='logits', weight=0.9)])
