# A TSM-MobileNetV2 that names the motion in every frame of a sequence, alone.
_base_ = [
    '../_base_/models/tsm_mobilenet_small.py',
    '../_base_/datasets/motion_sequences.py',
    '../_base_/schedules/motion_differences.py',
    '../_base_/runtime.py',
]
model = dict(
    backbone=dict(num_segments=32),
    cls_head=dict(_delete_=True, type='FrameHead', num_classes=8, in_channels=1280, num_frames=32),
)
