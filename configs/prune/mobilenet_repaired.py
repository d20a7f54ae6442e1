# A trained MobileNet loses half of its parameters at once; each block then learns to give what it gave, without labels.
_base_ = ['../students/mobilenet_motion.py', '../_base_/mmkd.py']
whole = 'configs/students/mobilenet_motion.py'
checkpoint = 'work_dirs/teachers/mobilenet_motion.pth'
prepare = dict(data=_base_.data_root, teacher=whole, rates=None)  # tools/train.py makes what is missing
budget = dict(min_steps=200, min_epochs=4)
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(type='BlockTeacher', config=whole, checkpoint=checkpoint),
    task_weight=0.0,
)
load_from = checkpoint
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='PruningHook', target=dict(params=0.5), begin=0, round_to=8),
]
