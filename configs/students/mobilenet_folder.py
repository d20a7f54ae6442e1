# The student of your own videos, alone.
_base_ = [
    '../_base_/models/tsm_mobilenet_small.py',
    '../_base_/datasets/video_folder.py',
    '../_base_/schedules/folder.py',
    '../_base_/runtime.py',
]
model = dict(cls_head=dict(num_classes=int('{{$CLASSES:8}}')))
