# Born-again generations: the teacher is the student's own architecture, trained before.
#   python tools/chain.py configs/students/mobilenet_motion.py configs/chain/mobilenet_born_again.py --generations 3
_base_ = ['../students/mobilenet_motion.py', '../_base_/mmkd.py']
teacher = 'configs/students/mobilenet_motion.py'
prepare = dict(data=_base_.data_root, teacher=teacher)  # tools/train.py makes what is missing
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='work_dirs/teachers/mobilenet_motion.pth'),
    terms=[dict(type='KDLoss', at='logits', temperature=4.0)],
)
