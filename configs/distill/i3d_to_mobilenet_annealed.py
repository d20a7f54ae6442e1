# The main example, which searches for the weight and the temperature of its term while it trains. Each of the six
# decisions takes two validations, after a first one.
_base_ = './i3d_to_mobilenet.py'
model = dict(terms=[dict(type='KDLoss', at='logits', temperature=4.0, weight=1.0)])
budget = dict(validations=13)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='AnnealingHook', numbers=['kd.weight', 'kd.temperature'], steps=6),
]
