# Real clips: a teacher of RGB and optical flow teaches the MobileNet, which sees RGB.
_base_ = '../distill/i3d_to_mobilenet_ut_interaction.py'
teacher = 'configs/teachers/rgb_flow_ut_interaction.py'
prepare = dict(teacher=teacher)
model = dict(teacher=dict(config=teacher, checkpoint='work_dirs/teachers/rgb_flow_ut_interaction.pth'))
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
