# Retrieval: embeddings of the student lie to each other as the pooled vectors of the I3D do.
_base_ = ['../students/mobilenet_embedding.py', '../_base_/mmkd.py']
teacher = 'configs/teachers/i3d_motion.py'
prepare = dict(data=_base_.data_root, teacher=teacher)
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/i3d_motion.pth'),
    terms=[dict(type='RKDLoss', at=('cls_head.embedding', 'pooled'))],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
