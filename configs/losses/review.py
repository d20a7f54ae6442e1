# ReviewKD: HCL over layers that are fused from deep to shallow.
_base_ = '../_base_/loss_pair.py'
fusion = dict(type='AttentionFusionConnector', mid_channels=64)
review = dict(type='HCLLoss', at=_base_.layers, connector=fusion, name='reviewkd')
model = dict(terms=[_base_.kd, review])
