# An I3D and a C3D, each through a view of its own, teach a MobileNet as one; who knows the label better counts more.
_base_ = ['../students/mobilenet_motion.py', '../_base_/mmkd.py']
i3d, c3d = 'configs/teachers/i3d_motion.py', 'configs/teachers/c3d_motion.py'
prepare = dict(data=_base_.data_root, teacher=dict(i3d=i3d, c3d=c3d))  # tools/train.py makes what is missing
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(
        type='TeacherEnsemble',
        members=dict(
            i3d=dict(config=i3d, checkpoint='work_dirs/teachers/i3d_motion.pth'),
            c3d=dict(config=c3d, checkpoint='work_dirs/teachers/c3d_motion.pth'),
        ),
        weighting='ca_mkd',
        temperature=4.0,  # that of the loss
    ),
    terms=[dict(type='KDLoss', at='logits', temperature=4.0)],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=dict(i3d=i3d, c3d=c3d))])
)
