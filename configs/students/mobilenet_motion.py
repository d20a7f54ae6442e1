# The student of the embedded experiment, alone.
_base_ = [
    '../_base_/models/tsm_mobilenet_small.py',
    '../_base_/datasets/motion_clips.py',
    '../_base_/schedules/motion.py',
    '../_base_/runtime.py',
]
# At 0.05 the student alone learns too, but the teacher's gradients come on top, and some distilled ones never begin to.
optim_wrapper = dict(optimizer=dict(lr=0.03))
