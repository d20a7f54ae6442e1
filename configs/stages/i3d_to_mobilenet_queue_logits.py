# Two stages: first without labels, as in i3d_to_mobilenet_queue_labels.py; then the labels of a tenth of the clips and
# the teacher's class scores of all, as configs/distill/i3d_to_mobilenet_few_labels.py does it in one stage.
#   python tools/distill.py configs/stages/i3d_to_mobilenet_queue_logits.py
_base_ = '../distill/i3d_to_mobilenet_few_labels.py'
stages = [
    dict(
        name='distil',
        labels=False,
        train_cfg=dict(max_epochs=6),
        model=dict(terms=[dict(type='SimilarityQueueLoss', at='pooled')]),
    ),
    dict(name='finetune'),
]
