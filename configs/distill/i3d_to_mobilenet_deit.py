# DeiT: one head learns from the labels, one from the class that the teacher decides for; tests average the two.
_base_ = './i3d_to_mobilenet.py'
model = dict(
    student=dict(cls_head=dict(type='DistilledHead', head='TSMHead')),
    terms=[dict(type='HardKDLoss', at=('distilled', 'logits'), weight=0.5)],
    task_weight=0.5,
)
