# The README's example: MMAction2's I3D-R50 teaches MMAction2's TSM-MobileNetV2 on Kinetics-400, each with its own view.
_base_ = [
    'mmaction::recognition/tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb.py',
    '../_base_/mmkd.py',
]
teacher = 'mmaction::recognition/i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py'
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='checkpoints/i3d_r50_kinetics400.pth'),
    terms=[
        dict(type='KDLoss', at='logits', temperature=4.0),
        dict(type='FitNetLoss', at=('backbone.conv2', 'backbone.layer4')),
    ],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)])
)
