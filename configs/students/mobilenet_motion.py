# The student of the embedded experiment, alone.
_base_ = [
    '../_base_/models/tsm_mobilenet_small.py',
    '../_base_/datasets/motion_clips.py',
    '../_base_/schedules/motion.py',
    '../_base_/runtime.py',
]
