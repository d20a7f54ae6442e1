# IAD: where the student's attack misleads the robust teacher too, the student's own answer to the clean clip teaches.
_base_ = 'mobilenet_adversarial.py'
teacher = 'configs/robust/resnet_adversarial.py'
prepare = dict(teacher=teacher)
pairs = [('logits', 'logits'), ('clean.logits', 'attacked.logits')]
model = dict(
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/resnet_adversarial.pth'),
    task_on='clean',
    task_weight=0.1,
    terms=[dict(type='IADLoss', at=pairs, weight=0.9)],
)
