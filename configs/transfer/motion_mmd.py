# Equal distributions of features, by the maximum mean discrepancy (DAN).
_base_ = './motion.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', temperature=4.0),
        dict(type='MMDLoss', at='pooled', weight=dict(type='Warmup', value=1.0, end=2)),
    ]
)
