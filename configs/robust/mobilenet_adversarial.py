# Adversarial training: no teacher; the student is trained on clips that PGD has changed by up to 2 of 255.
#   The student alone, on clean clips: configs/students/mobilenet_motion.py
_base_ = ['../students/mobilenet_motion.py', '../_base_/mmkd.py']
prepare = dict(data=_base_.data_root)  # tools/train.py makes what is missing
model = dict(
    _delete_=True,
    type='AdversarialTraining',
    student=_base_.model,
    attack=dict(type='PGD', epsilon=2.0, steps=3),
)
