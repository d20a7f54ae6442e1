# CTKD: KD with a temperature that is trained against the student. The labels count in full (official: 0.1).
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[dict(type='KDLoss', at='logits', temperature=dict(type='Learned', value=4.0))])
