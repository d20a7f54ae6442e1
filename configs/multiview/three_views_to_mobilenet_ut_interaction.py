# Real clips: a teacher of the whole frame and both persons teaches the MobileNet, which sees the frame.
_base_ = '../distill/i3d_to_mobilenet_ut_interaction.py'
teacher = 'configs/teachers/three_views_ut_interaction.py'
prepare = dict(teacher=teacher)
model = dict(teacher=dict(config=teacher, checkpoint='work_dirs/teachers/three_views_ut_interaction.pth'))
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
