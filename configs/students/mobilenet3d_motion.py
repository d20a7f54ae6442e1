# A student of the embedded experiment that sees all 16 frames, alone.
_base_ = [
    '../_base_/models/mobilenet3d_small.py',
    '../_base_/datasets/motion_clips_3d.py',
    '../_base_/schedules/motion_differences.py',
    '../_base_/runtime.py',
]
train_dataloader = dict(batch_size=8)
