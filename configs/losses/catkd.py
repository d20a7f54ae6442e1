# CAT-KD: where the evidence for every class lies.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='CATKDLoss', at='cam')])
