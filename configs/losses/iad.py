# IAD on clips that an attack makes; with a robust teacher, which sees the attacked clips: configs/robust/iad.py.
_base_ = '../_base_/loss_pair.py'
attack = dict(type='PGD', epsilon=2.0, steps=1)
pairs = [('logits', 'logits'), ('clean.logits', 'logits')]  # the I3D sees other frames, to which no attack belongs
model = dict(type='AdversarialTraining', attack=attack, terms=[_base_.kd, dict(type='IADLoss', at=pairs, weight=0.9)])
