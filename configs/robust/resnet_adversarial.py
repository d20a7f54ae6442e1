# The robust teacher of IAD and MTARD: a TSM-ResNet18 that was trained on attacked clips. It sees the student's frames.
_base_ = ['../students/resnet_motion.py', '../_base_/mmkd.py']
prepare = dict(data=_base_.data_root)  # tools/train.py makes what is missing
model = dict(
    _delete_=True,
    type='AdversarialTraining',
    student=_base_.model,
    attack=dict(type='PGD', epsilon=2.0, steps=3),
)
