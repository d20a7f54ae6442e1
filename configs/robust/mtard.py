# MTARD: an I3D teaches on clean clips, a robust TSM-ResNet18 on attacked ones; the part that lags behind weighs more.
_base_ = 'mobilenet_adversarial.py'
clean, robust = 'configs/teachers/i3d_motion.py', 'configs/robust/resnet_adversarial.py'
prepare = dict(teacher=dict(clean=clean, robust=robust))
kd = dict(type='KDLoss', temperature=1.0)
model = dict(
    teacher=dict(
        clean=dict(config=clean, checkpoint='work_dirs/teachers/i3d_motion.pth'),
        robust=dict(config=robust, checkpoint='work_dirs/teachers/resnet_adversarial.pth'),
    ),
    task_weight=0.0,
    terms=[
        dict(kd, at=('logits', 'attacked.logits'), teacher='robust', name='kd_attacked')
        | dict(weight=dict(type='LossRate', other='kd_clean')),
        dict(kd, at=('clean.logits', 'logits'), teacher='clean', name='kd_clean')
        | dict(weight=dict(type='LossRate', other='kd_attacked')),
    ],
)
views = dict(type='DistillViews', student=_base_.train_pipeline, teacher=dict(clean=clean))
train_dataloader = dict(dataset=dict(pipeline=[views]))
