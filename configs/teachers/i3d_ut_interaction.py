# The teacher of the real clips.
_base_ = [
    '../_base_/models/i3d_small.py',
    '../_base_/datasets/ut_interaction_3d.py',
    '../_base_/schedules/ut_interaction.py',
    '../_base_/runtime.py',
]
model = dict(cls_head=dict(num_classes=6))
randomness = dict(seed=0)  # students are compared under one teacher, which can be made again
