# Consistency: the student sees half of its clips corrupted, the teacher sees them clean.
#   python tools/train.py configs/robust/consistency.py
#   python tools/robustness.py configs/robust/consistency.py work_dirs/consistency/epoch_6.pth
_base_ = '../distill/i3d_to_mobilenet.py'
place = [step['type'] for step in _base_.train_pipeline].index('DecordDecode') + 1
corrupted = [
    *_base_.train_pipeline[:place],
    dict(type='RandomCorruption', probability=0.5),
    *_base_.train_pipeline[place:],
]
train_dataloader = dict(dataset=dict(pipeline=[dict(type='DistillViews', student=corrupted, teacher=_base_.teacher)]))
