# An I3D that names the motion in every frame of a sequence.
_base_ = [
    '../_base_/models/i3d_small.py',
    '../_base_/datasets/motion_sequences.py',
    '../_base_/schedules/motion_differences.py',
    '../_base_/runtime.py',
]
model = dict(
    backbone=dict(type='DifferenceResNet3d'),
    cls_head=dict(_delete_=True, type='FrameHead', num_classes=8, in_channels=128, num_frames=32),
)
packed = [dict(type='FormatShape', input_format='NCTHW'), dict(type='PackActionInputs')]
train_pipeline = [*_base_.train_pipeline[:-2], *packed]
test_pipeline = [*_base_.test_pipeline[:-2], *packed]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
randomness = dict(seed=0)
