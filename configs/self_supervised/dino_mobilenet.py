# DINO: without a label, the student learns to say of a clip what its moving average says of another view of it.
# Its checkpoint is where configs/self_supervised/mobilenet_finetuned.py starts.
_base_ = ['../students/mobilenet_motion.py', '../_base_/mmkd.py']
prepare = dict(data=_base_.data_root)
view = [  # no flips: a mirrored 'left' is a 'right'
    *_base_.train_pipeline[:3],
    dict(type='RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(type='Resize', scale=(48, 48), keep_ratio=False),
    dict(type='JitterLevels'),
    *_base_.train_pipeline[-2:],
]
classifier = _base_.model.cls_head  # for those that need no prototypes
head = dict(type='PrototypeHead', num_classes=256, in_channels=1280, num_segments=8)
model = dict(
    _delete_=True,
    type='Distiller',
    student=dict(_base_.model, cls_head=head),
    teacher=dict(type='EMATeacher', momentum=0.99),
    terms=[dict(type='DINOLoss', at='logits', weight=1.0)],
    task_weight=0.0,
)
pipeline = [dict(type='DistillViews', student=view, teacher=view, augment='another')]
train_dataloader = dict(dataset=dict(type='MixedVideoDataset', clips='all_unlabelled', pipeline=pipeline))
val_dataloader, val_cfg, val_evaluator = None, None, None  # prototypes are no classes
test_dataloader, test_cfg, test_evaluator = None, None, None
