# Kinetics-400: TSM-R50, which sees whole clips, teaches a TSM-MobileNetV2 that can see a stream, with DIST.
_base_ = ['../students/tsm-online-mobilenetv2_kinetics400.py', '../_base_/mmkd.py']
name = 'tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb'
teacher = f'mmaction::recognition/tsm/{name}.py'
zoo = 'https://download.openmmlab.com/mmaction/v1.0/recognition/tsm'
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint=f'{zoo}/{name}/{name}_20220831-64d69186.pth'),
    terms=[dict(type='DISTLoss', at='logits', weight=1.0)],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
