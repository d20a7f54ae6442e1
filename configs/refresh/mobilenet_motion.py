# Two motions later: the student of six motions learns all eight, from clips of the two new ones and a few old clips.
#   python tools/refresh.py configs/refresh/mobilenet_motion.py --arms naive joint
_base_ = ['../students/mobilenet_motion.py', '../_base_/mmkd.py']
old = 'configs/refresh/mobilenet_six_motions.py'
prepare = dict(data=_base_.data_root, teacher=old)  # what is missing is made first
refresh = dict(memory=10, selection='herding', head='balanced')
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,  # the old student with eight classes; it begins from the old weights
    teacher=dict(config=old, checkpoint='work_dirs/teachers/mobilenet_six_motions.pth'),
    terms=[dict(type='KDLoss', at='logits', temperature=2.0, weight=1.0, connector=dict(type='FirstClassesConnector'))],
)
new = dict(type='ClassVideoDataset', classes=[6, 7])
train_dataloader = dict(dataset=new)
val_dataloader = dict(dataset=new)
test_dataloader = dict(dataset=new)
