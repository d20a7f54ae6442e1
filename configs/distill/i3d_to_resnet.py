# The I3D teaches a TSM-ResNet-18; see the student on why it is not a TSN.
_base_ = ['../students/resnet_motion.py', '../_base_/mmkd.py']
teacher = 'configs/teachers/i3d_motion.py'
prepare = dict(data=_base_.data_root, teacher=teacher)  # tools/train.py makes what is missing
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/i3d_motion.pth'),
    terms=[dict(type='KDLoss', at='logits', temperature=4.0)],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
