# Factor transfer with its paraphraser, which is trained alone in the first epoch and rests from then on.
_base_ = '../_base_/loss_pair.py'
transfer = dict(type='Warmup', value=500.0, begin=0, end=2)
transferred = dict(type='ParaphrasedFTLoss', at=_base_.layers[-1], weight=1.0, transfer=transfer)
model = dict(connector_decay=0.0, terms=[_base_.kd, transferred])
