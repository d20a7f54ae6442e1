# Mean teacher: no other model teaches. A tenth of the clips has labels; on all of them the student, from a random crop,
# is to say what its own moving average says of the middle of the same frames.
#   The student alone, on the labelled tenth: configs/students/mobilenet_motion_few_labels.py
_base_ = ['../students/mobilenet_motion.py', '../_base_/mmkd.py']
prepare = dict(data=_base_.data_root)  # tools/train.py makes what is missing
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(type='EMATeacher', momentum=0.99),
    terms=[dict(type='KDLoss', at='logits', temperature=1.0, weight=dict(type='Warmup', value=1.0, end=2))],
)
train_dataloader = dict(
    batch_sampler=dict(type='MixedBatchSampler', labelled=0.5),
    dataset=dict(
        type='MixedVideoDataset',
        labelled_share=0.1,
        pipeline=[
            dict(type='DistillViews', student=_base_.train_pipeline, teacher=_base_.test_pipeline, augment='own')
        ],
    ),
)
