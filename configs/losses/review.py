# ReviewKD: HCL over layers that are fused from deep to shallow; the weight warms up.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', weight=0.9),
        dict(
            type='HCLLoss',
            at=[('backbone.layer6', 'backbone.layer3'), ('backbone.conv2', 'backbone.layer4')],
            weight=dict(type='Warmup', value=1.0, end=4),
            connector=dict(type='AttentionFusionConnector', mid_channels=64),
            name='reviewkd',
        ),
    ]
)
