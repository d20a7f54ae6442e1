# Temporal segmentation: the class of every frame, and where classes change, from an I3D that sees the same frames.
_base_ = ['../students/mobilenet_sequences.py', '../_base_/mmkd.py']
teacher = 'configs/teachers/i3d_sequences.py'
prepare = dict(data=_base_.data_root, motions='sequences', teacher=teacher)
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/i3d_sequences.pth'),
    terms=[
        dict(type='KDLoss', at='logits', temperature=2.0, weight=1.0),
        dict(type='BoundaryKDLoss', at='logits', weight=1.0),
    ],
)
