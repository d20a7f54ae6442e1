# TSM, not TSN: TSN-R18 averages what it says of single frames, and no single frame of these clips tells the motion.
_base_ = [
    '../_base_/models/tsm_r18.py',
    '../_base_/datasets/motion_clips.py',
    '../_base_/schedules/motion_differences.py',
    '../_base_/runtime.py',
]
train_dataloader = dict(batch_size=8)
