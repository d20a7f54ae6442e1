# A teacher of optical flow for a student of RGB, whose own cost does not change; a tenth of the clips has labels.
_base_ = '../distill/i3d_to_mobilenet_few_labels.py'
teacher = 'configs/teachers/i3d_flow_motion.py'
prepare = dict(teacher=teacher)
model = dict(teacher=dict(config=teacher, checkpoint='work_dirs/teachers/i3d_flow_motion.pth'))
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
