# A smaller model teaches a larger one: the first half of a proxy, which scales up before it scales down.
#   python tools/chain.py configs/students/mobilenet_motion.py configs/chain/mobilenet_to_resnet.py \
#     configs/chain/resnet_to_mobilenet.py
_base_ = ['../students/resnet_motion.py', '../_base_/mmkd.py']
teacher = 'configs/students/mobilenet_motion.py'
prepare = dict(data=_base_.data_root, teacher=teacher)  # tools/train.py makes what is missing
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/mobilenet_motion.pth'),
    terms=[dict(type='KDLoss', at='logits', temperature=4.0)],
)
