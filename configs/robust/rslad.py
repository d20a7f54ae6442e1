# RSLAD: the teacher's answer to the clean clip in place of the label everywhere, in the attack too.
_base_ = '../distill/i3d_to_mobilenet.py'
kd = dict(type='KDLoss', temperature=1.0)
model = dict(
    type='AdversarialTraining',
    attack=dict(type='PGD', epsilon=2.0, steps=3),
    aim='teacher',
    task_weight=0.0,
    terms=[
        dict(kd, at='logits', weight=5 / 6),
        dict(kd, at=('clean.logits', 'logits'), weight=1 / 6, name='kd_clean'),
    ],
)
