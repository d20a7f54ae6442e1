# MARS: beside the class scores, the student's pooled feature imitates that of a teacher of optical flow.
_base_ = '../distill/i3d_to_mobilenet.py'
teacher = 'configs/teachers/i3d_flow_motion.py'
prepare = dict(teacher=teacher)
model = dict(
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/i3d_flow_motion.pth'),
    terms=[dict(type='KDLoss', at='logits', temperature=4.0), dict(type='MARSLoss', at='pooled')],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
