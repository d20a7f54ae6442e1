# Factor transfer with its paraphraser, trained alone in the first two epochs.
_base_ = '../_base_/loss_pair.py'
at, transfer = ('backbone.conv2', 'backbone.layer4'), dict(type='Warmup', value=1.0, begin=1, end=3)
model = dict(terms=[_base_.kd, dict(type='ParaphrasedFTLoss', at=at, weight=500.0, transfer=transfer)])
