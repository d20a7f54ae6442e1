# DeiT's hard distillation: the class that the teacher decides for is a label beside the true one.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='HardKDLoss', at='logits')])
