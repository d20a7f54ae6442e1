# SimKD: the student keeps the teacher's classifier behind a projector; the labels are not used.
_base_ = '../_base_/loss_pair.py'
sizes = dict(num_classes=8, in_channels=1280, teacher_channels=128, num_segments=8)
simkd = dict(type='FitNetLoss', at=('cls_head.projector', 'backbone.layer4'), name='simkd')
head = dict(_delete_=True, type='SimKDHead', average_clips='prob', **sizes)
model = dict(student=dict(cls_head=head), task_weight=0.0, terms=[simkd])
