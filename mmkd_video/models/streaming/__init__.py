"""Models that see a video frame by frame: nothing in them looks ahead, and each frame is computed once."""

from mmkd_video.models.streaming.movinet import MoViNet
from mmkd_video.models.streaming.movinet_head import MoViNetHead
from mmkd_video.models.streaming.online_tsm import OnlineMobileNetV2TSM, OnlineResNetTSM
from mmkd_video.models.streaming.online_tsm_head import OnlineTSMHead
from mmkd_video.models.streaming.running_mean import RunningMean

__all__ = ['MoViNet', 'MoViNetHead', 'OnlineMobileNetV2TSM', 'OnlineResNetTSM', 'OnlineTSMHead', 'RunningMean']
