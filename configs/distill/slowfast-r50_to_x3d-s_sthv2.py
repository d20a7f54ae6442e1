# Something-Something v2: SlowFast-R50 teaches X3D-S. MMAction2's zoo has no SlowFast of this data set: the teacher is
# trained first, from the zoo's Kinetics-400 weights; tools/train.py does this where its checkpoint is missing.
_base_ = ['../students/x3d-s_sthv2.py', '../_base_/mmkd.py']
teacher = 'configs/teachers/slowfast-r50_sthv2.py'
prepare = dict(teacher=teacher)
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/slowfast-r50_sthv2.pth'),
    terms=[
        dict(type='KDLoss', at='logits', temperature=4.0),
        dict(type='TemporalRelationLoss', at=('backbone.conv5', 'backbone.fast_path.layer4')),
    ],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
