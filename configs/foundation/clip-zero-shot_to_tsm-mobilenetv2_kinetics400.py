# Kinetics-400 without a label: the class names, read by CLIP, are the teacher's classifier; TSM-MobileNetV2 learns from
# its scores alone. The labels in the list of videos are not learned from; they are there for the accuracy in the log.
_base_ = [
    'mmaction::recognition/tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb.py',
    '../_base_/mmkd.py',
]
teacher = 'hf::checkpoints/clip-vit-base-patch16'
label_map = 'tools/data/kinetics/label_map_k400.txt'  # of MMAction2: the names in the order of the labels
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=dict(source=teacher, zero_shot=True)),
    task_weight=0.0,
    terms=[dict(type='KDLoss', at='logits', temperature=1.0, weight=1.0)],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
