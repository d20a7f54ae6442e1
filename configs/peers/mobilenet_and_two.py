# Three learn from one another: a TSM-MobileNetV2, an I3D and a 3-D MobileNet. Each learns from the others.
_base_ = ['../students/mobilenet_motion.py', '../_base_/mmkd.py']
i3d = 'configs/teachers/i3d_motion.py'
small = 'configs/students/mobilenet3d_motion.py'
prepare = dict(data=_base_.data_root)  # tools/train.py makes what is missing
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(i3d=dict(type='PeerTeacher', config=i3d), small=dict(type='PeerTeacher', config=small)),
    terms=[
        dict(type='KDLoss', at='logits', temperature=1.0, weight=0.5, teacher='i3d'),
        dict(type='KDLoss', at='logits', temperature=1.0, weight=0.5, teacher='small', name='kd_small'),
    ],
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=dict(i3d=i3d, small=small))]
    )
)
