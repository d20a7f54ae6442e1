# A teacher for clips of two labels.
_base_ = ['./i3d_motion.py', '../_base_/models/several_labels.py']
model = dict(cls_head=_base_.several_labels)
data_root = 'data/motion_together'
several = dict(data_root=data_root, multi_class=True, num_classes=8)
train_dataloader = dict(dataset=several)
val_dataloader = dict(dataset=several)
test_dataloader = dict(dataset=several)
val_evaluator = dict(metric_list='mean_average_precision')
test_evaluator = dict(metric_list='mean_average_precision')
