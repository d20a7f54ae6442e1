# Be your own teacher: exits in the middle of the TSM-MobileNetV2 learn from the labels and from its end. No other model
# is there, and the exits are in no checkpoint that is tested or exported.
_base_ = ['../students/mobilenet_motion.py', '../_base_/mmkd.py']
prepare = dict(data=_base_.data_root)  # tools/train.py makes what is missing
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(type='SelfTeacher', exits=['backbone.layer3', 'backbone.layer5'], alpha=0.1),
)
