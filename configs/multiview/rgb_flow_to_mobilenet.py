# A teacher of RGB and optical flow for a student of RGB.
_base_ = '../distill/i3d_to_mobilenet.py'
teacher = 'configs/teachers/rgb_flow_motion.py'
prepare = dict(teacher=teacher)
model = dict(teacher=dict(config=teacher, checkpoint='work_dirs/teachers/rgb_flow_motion.pth'))
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
