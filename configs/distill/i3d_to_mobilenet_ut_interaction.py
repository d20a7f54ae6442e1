# Real clips: the I3D teaches the MobileNet six human interactions.
#   UT_INTERACTION=<folder of the clips> python tools/compare.py configs/distill/i3d_to_mobilenet_ut_interaction.py
_base_ = ['../students/mobilenet_ut_interaction.py', '../_base_/mmkd.py']
teacher = 'configs/teachers/i3d_ut_interaction.py'
prepare = dict(teacher=teacher)
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/i3d_ut_interaction.pth'),
    terms=[dict(type='KDLoss', at='logits', temperature=4.0)],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
