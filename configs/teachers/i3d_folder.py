# The teacher of your own videos. It sees differences of frames: of a hundred clips, frames teach backgrounds first.
_base_ = [
    '../_base_/models/i3d_small.py',
    '../_base_/datasets/video_folder_3d.py',
    '../_base_/schedules/folder.py',
    '../_base_/runtime.py',
]
model = dict(
    backbone=dict(type='DifferenceResNet3d', conv1_stride_t=2),
    cls_head=dict(num_classes=int('{{$CLASSES:8}}'), dropout_ratio=0.5),
)
randomness = dict(seed=0)  # students are compared under one teacher, which can be made again
