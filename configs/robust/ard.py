# ARD: the student's answer to an attacked clip is drawn to the teacher's answer to the clean one.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    type='AdversarialTraining',
    attack=dict(type='PGD', epsilon=2.0, steps=3),
    task_on='clean',
    task_weight=0.1,
    terms=[dict(type='KDLoss', at='logits', temperature=4.0, weight=0.9)],
)
