# The student of the embedded experiment, with a head whose embedding finds clips of the same motion.
_base_ = './mobilenet_motion.py'
model = dict(
    cls_head=dict(
        _delete_=True,
        type='EmbeddingHead',
        num_classes=8,
        in_channels=1280,
        embedding_size=64,
        num_segments=8,
        average_clips='prob',
    ),
)
val_evaluator = [_base_.val_evaluator, dict(type='ClipRetrieval')]
test_evaluator = val_evaluator
