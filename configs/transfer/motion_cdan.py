# The same within classes (CDAN+E).
_base_ = './motion.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', temperature=4.0),
        dict(type='CDANLoss', at=['pooled', 'logits'], weight=0.1, strength=dict(type='Logistic', by_epoch=False)),
    ]
)
