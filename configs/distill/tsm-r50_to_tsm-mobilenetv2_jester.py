# Jester: TSM-R50 teaches TSM-MobileNetV2. MMAction2's zoo has no model of this data set: the teacher is trained
# first, from the zoo's Something-Something v2 weights; tools/train.py does this where its checkpoint is missing.
_base_ = ['../students/tsm-mobilenetv2_jester.py', '../_base_/mmkd.py']
teacher = 'configs/teachers/tsm-r50_jester.py'
prepare = dict(teacher=teacher)
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/tsm-r50_jester.pth'),
    terms=[
        dict(type='KDLoss', at='logits', temperature=4.0),
        dict(type='TemporalRelationLoss', at=('backbone.conv2', 'backbone.layer4')),
    ],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
