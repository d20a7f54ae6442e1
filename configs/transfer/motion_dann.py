# A classifier of domains, whose gradient is reversed (DANN).
_base_ = './motion.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', temperature=4.0),
        dict(type='DANNLoss', at='pooled', weight=0.1, strength=dict(type='Logistic', by_epoch=False)),
    ]
)
