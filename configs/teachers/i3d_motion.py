# The teacher of the embedded experiment.
_base_ = [
    '../_base_/models/i3d_small.py',
    '../_base_/datasets/motion_clips_3d.py',
    '../_base_/schedules/motion.py',
    '../_base_/runtime.py',
]
randomness = dict(seed=0)  # students are compared under one teacher, which can be made again
