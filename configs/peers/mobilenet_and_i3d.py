# Deep mutual learning: nobody is trained before. A TSM-MobileNetV2 and an I3D, which sees twice as many frames, learn
# from the labels and from each other. The I3D is in work_dirs/<this config>/teachers/teacher.pth then.
_base_ = ['../students/mobilenet_motion.py', '../_base_/mmkd.py']
peer = 'configs/teachers/i3d_motion.py'
prepare = dict(data=_base_.data_root)  # tools/train.py makes what is missing
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(type='PeerTeacher', config=peer),
    terms=[dict(type='KDLoss', at='logits', temperature=1.0, weight=1.0)],
)
train_dataloader = dict(dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=peer)]))
