# Features of two teachers into one student: a connector for each, and targets of one scale, so that neither drowns.
_base_ = './i3d_c3d_to_mobilenet.py'
# After `python tools/feature_statistics.py <this file> --teacher-name i3d` there is also, for each teacher:
# target_norm=dict(type='phi_s', statistics='work_dirs/statistics/i3d_c3d_features_to_mobilenet_i3d.safetensors')
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', temperature=4.0),
        dict(
            type='FitNetLoss',
            name='i3d',
            at=('backbone.layer7', 'i3d.backbone.layer4'),
            target_norm='layernorm',
            connector=dict(type='ProjectionConnector'),
        ),
        dict(
            type='FitNetLoss',
            name='c3d',
            at=('pooled', 'c3d.pooled'),
            target_norm='layernorm',
            connector=dict(type='ProjectionConnector'),
        ),
    ]
)
