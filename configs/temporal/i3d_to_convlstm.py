# As configs/distill/i3d_to_mobilenet_few_labels.py, with a student that remembers what it saw.
_base_ = ['../students/convlstm_motion.py', '../_base_/mmkd.py']
teacher = 'configs/teachers/i3d_motion.py'
prepare = dict(data=_base_.data_root, teacher=teacher)
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
