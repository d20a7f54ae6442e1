# Multi-label logits distillation: each class by itself. The embedded clips have one label each; with several labels, it
# is configs/tasks/i3d_to_mobilenet_together.py.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='BinaryKDLoss', at='logits')])
