# The I3D, which sees whole clips, teaches a student that can see a stream; a tenth of the training clips has labels.
# The student alone, on the labelled tenth: configs/students/tsm-online-mobilenet_motion_few_labels.py.
_base_ = ['../students/tsm-online-mobilenet_motion.py', '../_base_/mmkd.py']
teacher = 'configs/teachers/i3d_motion.py'
prepare = dict(data=_base_.data_root, teacher=teacher)  # tools/train.py makes what is missing
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/i3d_motion.pth'),
    terms=[dict(type='KDLoss', at='logits', temperature=4.0)],
)
train_dataloader = dict(
    batch_sampler=dict(type='MixedBatchSampler', labelled=0.5),
    dataset=dict(
        type='MixedVideoDataset',
        labelled_share=0.1,
        pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)],
    ),
)
