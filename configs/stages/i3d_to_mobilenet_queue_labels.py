# Two stages: the student first learns from all clips, without labels, to be as near to others as the teacher; then the
# labels of a tenth of them, without the teacher.
#   python tools/distill.py configs/stages/i3d_to_mobilenet_queue_labels.py
_base_ = './i3d_to_mobilenet_queue_logits.py'
stages = [_base_.stages[0], dict(name='finetune', model=dict(teacher=None))]
