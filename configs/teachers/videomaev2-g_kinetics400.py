# VideoMAE V2-g on Kinetics-400, a billion parameters. Its checkpoint is that of its authors (model zoo of VideoMAE V2),
# which they send on request; the names of its weights are read as they are.
_base_ = 'mmaction::recognition/videomaev2/vit-base-p16_videomaev2-vit-g-dist-k710-pre_16x4x1_kinetics-400.py'
model = dict(
    backbone=dict(patch_size=14, embed_dims=1408, depth=40, num_heads=16, mlp_ratio=48 / 11),
    cls_head=dict(in_channels=1408),
)
