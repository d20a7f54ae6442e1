# Equal covariances of class scores (Deep CORAL).
_base_ = './motion.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', temperature=4.0),
        dict(type='CORALLoss', at='logits', weight=dict(type='Warmup', value=1.0, end=2)),
    ]
)
