# Something-Something v2: V-JEPA 2 has no head for these classes; it gets one, and teaches X3D-S. The head comes first:
#   python tools/probe.py configs/foundation/vjepa2-probe_to_x3d-s_sthv2.py
_base_ = ['../students/x3d-s_sthv2.py', '../_base_/mmkd.py']
teacher = 'hf::checkpoints/vjepa2-vitl-fpc64-256'
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(type='ProbedTeacher', config=teacher, probe='work_dirs/probe/vjepa2-vitl_sthv2.pth'),
    terms=[
        dict(type='KDLoss', at='logits', temperature=4.0),
        dict(type='CosineLoss', at=('pooled', 'pooled')),  # the vector that the probe gathers for its classifier
    ],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
