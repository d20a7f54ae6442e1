# ReviewKD: HCL over layers that are fused from deep to shallow; the weight warms up.
_base_ = '../_base_/loss_pair.py'
warmup, fusion = dict(type='Warmup', value=1.0, end=4), dict(type='AttentionFusionConnector', mid_channels=64)
review = dict(type='HCLLoss', at=_base_.layers, weight=warmup, connector=fusion, name='reviewkd')
model = dict(terms=[_base_.kd, review])
