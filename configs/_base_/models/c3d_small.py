# MMAction2's C3D (its widths are fixed) with batch norm, so that it trains from scratch, for clips of 16 x 32 x 32.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='C3D', pretrained=None, norm_cfg=dict(type='BN3d'), out_dim=2048, dropout_ratio=0.0, init_std=0.01
    ),
    cls_head=dict(
        type='I3DHead', num_classes=8, in_channels=4096, spatial_type=None, dropout_ratio=0.0, average_clips='prob'
    ),
    data_preprocessor=dict(type='ActionDataPreprocessor', mean=[114.75] * 3, std=[57.38] * 3, format_shape='NCTHW'),
)
