# Two stages: the student first learns from all clips, without labels, to be as near to others as the teacher; then the
# labels of a tenth of them, without the teacher.
#   python tools/distill.py configs/stages/i3d_to_mobilenet_queue_labels.py
_base_ = '../distill/i3d_to_mobilenet_few_labels.py'
stages = [
    dict(
        name='distil',
        labels=False,
        train_cfg=dict(max_epochs=6),
        model=dict(terms=[dict(type='SimilarityQueueLoss', at='pooled')]),
    ),
    dict(name='finetune', model=dict(teacher=None)),
]
