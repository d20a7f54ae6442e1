# A MoViNet that can see a stream of the embedded experiment, alone; it sees all 16 frames.
_base_ = [
    '../_base_/models/movinet_small.py',
    '../_base_/datasets/motion_clips_3d.py',
    '../_base_/schedules/motion_differences.py',
    '../_base_/runtime.py',
]
train_dataloader = dict(batch_size=8)
