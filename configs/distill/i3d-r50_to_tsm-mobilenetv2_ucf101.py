# UCF101, first split: I3D-R50 teaches TSM-MobileNetV2. MMAction2's zoo has no I3D of this data set: the teacher is
# trained first, from the zoo's Kinetics-400 weights; tools/train.py does this where its checkpoint is missing.
_base_ = ['../students/tsm-mobilenetv2_ucf101.py', '../_base_/mmkd.py']
teacher = 'configs/teachers/i3d-r50_ucf101.py'
prepare = dict(teacher=teacher)
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/i3d-r50_ucf101.pth'),
    terms=[
        dict(type='KDLoss', at='logits', temperature=4.0),
        dict(type='FitNetLoss', at=('backbone.conv2', 'backbone.layer4')),
    ],
)
# Some clips are shorter than the 64 frames that the teacher spans.
views = dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher, on_short='clamp')
train_dataloader = dict(dataset=dict(pipeline=[views]))
