"""One method, one file, one registered module: tensors in, unweighted scalar out."""

from mmkd_video.losses.at import ATLoss
from mmkd_video.losses.dist import DISTLoss
from mmkd_video.losses.fitnet import FitNetLoss
from mmkd_video.losses.kd import KDLoss

__all__ = ['ATLoss', 'DISTLoss', 'FitNetLoss', 'KDLoss']
