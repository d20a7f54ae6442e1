# Kinetics-400 without labels, as UMT: a fifth of the tokens of a ViT-S are aligned with those of CLIP-B in six layers.
_base_ = [
    'mmaction::recognition/i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py',
    '../_base_/mmkd.py',
]
teacher = 'hf::checkpoints/clip-vit-base-patch16'
backbone = dict(type='VisionTransformer', embed_dims=384, depth=12, num_heads=6, norm_cfg=dict(type='LN', eps=1e-6))
head = dict(type='TimeSformerHead', num_classes=400, in_channels=384, average_clips='prob')
decoder = dict(type='MLPConnector', position=True, out_norm=True)
term = dict(type='CosineLoss', connector=decoder, target_norm='layernorm', weight=1 / 6)
model = dict(
    _delete_=True,
    type='Distiller',
    student=dict(
        type='Recognizer3D', backbone=backbone, cls_head=head, data_preprocessor=_base_.model.data_preprocessor
    ),
    teacher=dict(config=teacher),
    masking=dict(type='AttentionMask', ratio=0.8),
    task_weight=0.0,
    terms=[dict(term, name=f'layer{i}', at=(f'backbone.blocks.{i}', f'hidden_states[{i + 1}]')) for i in range(6, 12)],
)
clips = dict(type='SampleFrames', clip_len=16, frame_interval=4, num_clips=1)
views = [
    dict(type='DistillViews', student=[_base_.train_pipeline[0], clips, *_base_.train_pipeline[2:]], teacher=teacher)
]
train_dataloader = dict(dataset=dict(pipeline=views))
val_dataloader = val_cfg = val_evaluator = test_dataloader = test_cfg = test_evaluator = None  # it has no classes yet
optim_wrapper = dict(_delete_=True, optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.95), weight_decay=0.05))
