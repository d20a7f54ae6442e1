# Kinetics-400: Video Swin-T teaches TSN-R50 with DIST. MMAction2's project with MMRazor has the same student, loss and
# weight; its teacher, a TSN on an image Swin, needs timm.
_base_ = [
    'mmaction::recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb.py',
    '../_base_/mmkd.py',
]
name = 'swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb'
teacher = f'mmaction::recognition/swin/{name}.py'
zoo = 'https://download.openmmlab.com/mmaction/v1.0/recognition/swin'
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(
        config=teacher,
        checkpoint=f'{zoo}/{name}/{name}_20220930-241016b2.pth',
    ),
    terms=[dict(type='DISTLoss', at='logits', weight=4.0)],
)
views = dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher, on_short='clamp')
train_dataloader = dict(dataset=dict(pipeline=[views]))
