# The teacher of your own videos.
_base_ = [
    '../_base_/models/i3d_small.py',
    '../_base_/datasets/video_folder_3d.py',
    '../_base_/schedules/motion.py',
    '../_base_/runtime.py',
]
model = dict(cls_head=dict(num_classes=int('{{$CLASSES:8}}')))
randomness = dict(seed=0)  # students are compared under one teacher, which can be made again
