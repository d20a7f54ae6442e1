# The student of the real clips, alone.
_base_ = [
    '../_base_/models/tsm_mobilenet_small.py',
    '../_base_/datasets/ut_interaction.py',
    '../_base_/schedules/ut_interaction.py',
    '../_base_/runtime.py',
]
model = dict(cls_head=dict(num_classes=6))
