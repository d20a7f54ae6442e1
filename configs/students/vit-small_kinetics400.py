# The student on Kinetics-400, alone: ViT-S of 16 frames, as VideoMAE V2 has it. Epochs, rate and decays are a start;
# 8 processes of 8 clips.
_base_ = 'mmaction::recognition/i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py'
norm = dict(type='LN', eps=1e-6)
model = dict(
    backbone=dict(_delete_=True, type='VisionTransformer', embed_dims=384, depth=12, num_heads=6, norm_cfg=norm),
    cls_head=dict(_delete_=True, type='TimeSformerHead', num_classes=400, in_channels=384, average_clips='prob'),
)
frames = dict(type='SampleFrames', clip_len=16, frame_interval=4, num_clips=1)
train_pipeline = [_base_.train_pipeline[0], frames, *_base_.train_pipeline[2:]]
val_pipeline = [_base_.val_pipeline[0], dict(frames, test_mode=True), *_base_.val_pipeline[2:]]
test_pipeline = [_base_.test_pipeline[0], dict(frames, num_clips=5, test_mode=True), *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(
    _delete_=True,
    optimizer=dict(type='AdamW', lr=1.25e-4, betas=(0.9, 0.999), weight_decay=0.05),
    constructor='LayerDecayConstructor',
    paramwise_cfg=dict(layer_decay=0.75, norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=5, end=100, T_max=95, convert_to_iter_based=True),
]
