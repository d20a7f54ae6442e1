# Your own videos: an I3D that is trained on them first teaches a TSM-MobileNetV2.
#   CLIPS=<folder> python tools/train.py configs/distill/i3d_to_mobilenet_folder.py
_base_ = ['../students/mobilenet_folder.py', '../_base_/mmkd.py']
teacher = 'configs/teachers/i3d_folder.py'
prepare = dict(teacher=teacher, check=True)  # the check: is the teacher better than a simple reference?
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/i3d_folder.pth'),
    terms=[dict(type='KDLoss', at='logits', temperature=4.0)],
)
train_dataloader = dict(
    batch_sampler=dict(type='MixedBatchSampler'),  # videos without a label are taken too, where there are some
    dataset=dict(clips='all', pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)]),
)
