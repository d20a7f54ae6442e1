# Several labels a clip: an I3D teaches a TSM-MobileNetV2, for each of the eight motions, whether it is there.
_base_ = ['../students/mobilenet_together.py', '../_base_/mmkd.py']
teacher = 'configs/teachers/i3d_together.py'
prepare = dict(data=_base_.data_root, motions='together', teacher=teacher)
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/i3d_together.pth'),
    terms=[dict(type='BinaryKDLoss', at='logits')],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
