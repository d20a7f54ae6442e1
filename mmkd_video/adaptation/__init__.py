"""Domain adaptation: from labelled source clips to unlabelled target clips; one method per file."""

from mmkd_video.adaptation.cdan import CDANLoss
from mmkd_video.adaptation.coral import CORALLoss
from mmkd_video.adaptation.dann import DANNLoss
from mmkd_video.adaptation.mmd import MMDLoss
from mmkd_video.adaptation.target_style import TargetStyle

__all__ = ['CDANLoss', 'CORALLoss', 'DANNLoss', 'MMDLoss', 'TargetStyle']
