# BYOL: the student's vector, through a predictor, is to point where that of its moving average points.
_base_ = './dino_mobilenet.py'
predictor = dict(type='MLPConnector', hidden_channels=512)
model = dict(
    student=dict(cls_head=dict(_delete_=True, **_base_.classifier)),
    terms=[dict(type='CosineLoss', at='pooled', connector=predictor, weight=1.0)],
)
