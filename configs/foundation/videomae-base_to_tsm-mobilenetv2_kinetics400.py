# Kinetics-400: VideoMAE-B of transformers, copied to a local folder, teaches TSM-MobileNetV2.
_base_ = [
    'mmaction::recognition/tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb.py',
    '../_base_/mmkd.py',
]
teacher = 'hf::checkpoints/videomae-base-finetuned-kinetics'
label_map = 'tools/data/kinetics/label_map_k400.txt'  # of MMAction2: the names in the order of the labels
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, classes='by_name'),
    terms=[dict(type='DISTLoss', at='logits', weight=1.0)],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
