# Kinetics-400: SigLIP, which knows appearance, and VideoMAE, which knows motion, teach a TSM-MobileNetV4 together.
# PHI-S brings their features to one scale; tools/feature_statistics.py comes first (docs/foundation_recipes.md).
_base_ = ['../students/tsm-mobilenetv4_kinetics400.py', '../_base_/mmkd.py']
siglip, videomae = 'hf::checkpoints/siglip2-base-patch16-224', 'hf::checkpoints/videomae-base-finetuned-kinetics'
label_map = 'tools/data/kinetics/label_map_k400.txt'  # of MMAction2: the names in the order of the labels
statistics = 'work_dirs/statistics/siglip-videomae_to_tsm-mobilenetv4_kinetics400'
feature = dict(type='FitNetLoss', at='pooled', connector=dict(type='ProjectionConnector'))
phi_s = [dict(type='phi_s', statistics=f'{statistics}_{name}.safetensors') for name in ('siglip', 'videomae')]
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(siglip=dict(config=siglip), videomae=dict(config=videomae, classes='by_name')),
    terms=[
        dict(type='KDLoss', at='logits', teacher='videomae', temperature=4.0),
        dict(feature, name='siglip', teacher='siglip', target_norm=phi_s[0]),
        dict(feature, name='videomae', teacher='videomae', target_norm=phi_s[1]),
    ],
)
views = dict(type='DistillViews', student=_base_.train_pipeline, teacher=dict(siglip=siglip, videomae=videomae))
train_dataloader = dict(dataset=dict(pipeline=[views]))
