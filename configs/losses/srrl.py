# SRRL: what the teacher's classifier sees in the student's feature.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='SRRLLoss', at='pooled')])
