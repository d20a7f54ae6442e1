# A student of the embedded experiment that can see a stream, alone.
_base_ = [
    '../_base_/models/tsm_online_mobilenet_small.py',
    '../_base_/datasets/motion_clips.py',
    '../_base_/schedules/motion_differences.py',
    '../_base_/runtime.py',
]
train_dataloader = dict(batch_size=8)
