# Factor transfer with its paraphraser, trained alone in the first two epochs.
_base_ = '../_base_/loss_pair.py'
transfer = dict(type='Warmup', value=1.0, begin=1, end=3)
transferred = dict(type='ParaphrasedFTLoss', at=_base_.layers[-1], weight=500.0, transfer=transfer)
model = dict(terms=[_base_.kd, transferred])
