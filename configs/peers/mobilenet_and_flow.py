# Two streams that learn from each other: the MobileNet sees RGB, its peer the optical flow of the same moment. The peer
# is in work_dirs/<this config>/teachers/teacher.pth then.
_base_ = './mobilenet_and_i3d.py'
peer = 'configs/teachers/i3d_flow_motion.py'
model = dict(teacher=dict(config=peer))
train_dataloader = dict(dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=peer)]))
