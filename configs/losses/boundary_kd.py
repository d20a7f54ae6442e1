# Where classes change from frame to frame, as class maps averaged over places say it. With a class for every frame, it
# is configs/tasks/i3d_to_mobilenet_segmentation.py.
_base_ = '../_base_/loss_pair.py'
model = dict(terms=[_base_.kd, dict(type='BoundaryKDLoss', at='cam')])
