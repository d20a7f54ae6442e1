# The second half of a teacher assistant: a TSM-ResNet-18 that an I3D has taught teaches the TSM-MobileNetV2.
#   python tools/chain.py configs/distill/i3d_to_resnet.py configs/chain/resnet_to_mobilenet.py
_base_ = ['../students/mobilenet_motion.py', '../_base_/mmkd.py']
teacher = 'configs/students/resnet_motion.py'
prepare = dict(data=_base_.data_root, teacher=teacher)  # tools/train.py makes what is missing
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/resnet_motion.pth'),
    terms=[dict(type='KDLoss', at='logits', temperature=4.0)],
)
