# Kinetics-400: VideoMAE V2-g teaches a ViT-S by its class scores, as in its paper, which does so on Kinetics-710.
_base_ = ['../students/vit-small_kinetics400.py', '../_base_/mmkd.py']
teacher = 'configs/teachers/videomaev2-g_kinetics400.py'
views = dict(type='DistillViews', student=_base_.train_pipeline, teacher=_base_.train_pipeline)  # of the same size
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint='checkpoints/vit_g_hybrid_pt_1200e_k710_it_k400_ft.pth'),
    terms=[dict(type='KDLoss', at='logits', temperature=1.0)],
)
train_dataloader = dict(dataset=dict(pipeline=[views]))
