# The same I3D on optical flow of the real clips.
_base_ = './i3d_ut_interaction.py'
flow = dict(type='RGBToFlow')
train_pipeline = [*_base_.train_pipeline[:-2], flow, *_base_.train_pipeline[-2:]]
test_pipeline = [*_base_.test_pipeline[:-2], flow, *_base_.test_pipeline[-2:]]
model = dict(
    backbone=dict(in_channels=2),
    data_preprocessor=dict(mean=[128.0] * 2, std=[32.0] * 2),
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
