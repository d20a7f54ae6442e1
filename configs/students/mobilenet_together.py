# The student of the embedded experiment on clips of two labels, alone.
_base_ = [
    '../_base_/models/tsm_mobilenet_small.py',
    '../_base_/models/several_labels.py',
    '../_base_/datasets/motion_together.py',
    '../_base_/schedules/motion_differences.py',
    '../_base_/runtime.py',
]
model = dict(cls_head=_base_.several_labels)
train_dataloader = dict(batch_size=8)
