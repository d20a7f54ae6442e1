"""One method, one file, one registered module: tensors in, unweighted scalar out."""

from mmkd_video.losses.ab import ABLoss
from mmkd_video.losses.at import ATLoss
from mmkd_video.losses.binary_kd import BinaryKDLoss
from mmkd_video.losses.boundary_kd import BoundaryKDLoss
from mmkd_video.losses.catkd import CATKDLoss
from mmkd_video.losses.cc import CCLoss
from mmkd_video.losses.cosine import CosineLoss
from mmkd_video.losses.crd import CRDLoss
from mmkd_video.losses.cwd import CWDLoss
from mmkd_video.losses.dist import DISTLoss
from mmkd_video.losses.dkd import DKDLoss
from mmkd_video.losses.fbkd import FBKDLoss
from mmkd_video.losses.fitnet import FitNetLoss
from mmkd_video.losses.frame_importance import FrameImportanceLoss
from mmkd_video.losses.fsp import FSPLoss
from mmkd_video.losses.ft import FTLoss
from mmkd_video.losses.hard_kd import HardKDLoss
from mmkd_video.losses.hcl import HCLLoss
from mmkd_video.losses.iad import IADLoss
from mmkd_video.losses.ickd import ICKDLoss
from mmkd_video.losses.isomap import IsomapLoss
from mmkd_video.losses.kd import KDLoss
from mmkd_video.losses.kdsvd import KDSVDLoss
from mmkd_video.losses.laplacian import LaplacianLoss
from mmkd_video.losses.lle import LLELoss
from mmkd_video.losses.logit_std_kd import LogitStdKDLoss
from mmkd_video.losses.ltsa import LTSALoss
from mmkd_video.losses.mars import MARSLoss
from mmkd_video.losses.mds import MDSLoss
from mmkd_video.losses.mgd import MGDLoss
from mmkd_video.losses.mlkd import MLKDLoss
from mmkd_video.losses.nkd import NKDLoss
from mmkd_video.losses.nst import NSTLoss
from mmkd_video.losses.ofd import OFDLoss
from mmkd_video.losses.paraphrased_ft import ParaphrasedFTLoss
from mmkd_video.losses.per_frame_at import PerFrameATLoss
from mmkd_video.losses.pkd import PKDLoss
from mmkd_video.losses.pkt import PKTLoss
from mmkd_video.losses.rkd import RKDLoss
from mmkd_video.losses.semckd import SemCKDLoss
from mmkd_video.losses.similarity_queue import SimilarityQueueLoss
from mmkd_video.losses.sp import SPLoss
from mmkd_video.losses.space_time_at import SpaceTimeATLoss
from mmkd_video.losses.srrl import SRRLLoss
from mmkd_video.losses.temporal_difference import TemporalDifferenceLoss
from mmkd_video.losses.temporal_order import TemporalOrderLoss
from mmkd_video.losses.temporal_relation import TemporalRelationLoss
from mmkd_video.losses.ttm import TTMLoss
from mmkd_video.losses.vid import VIDLoss
from mmkd_video.losses.wsld import WSLDLoss
from mmkd_video.losses.wttm import WTTMLoss

__all__ = [
    'ABLoss',
    'ATLoss',
    'BinaryKDLoss',
    'BoundaryKDLoss',
    'CATKDLoss',
    'CCLoss',
    'CRDLoss',
    'CWDLoss',
    'CosineLoss',
    'DISTLoss',
    'DKDLoss',
    'FBKDLoss',
    'FSPLoss',
    'FTLoss',
    'FitNetLoss',
    'FrameImportanceLoss',
    'HCLLoss',
    'HardKDLoss',
    'IADLoss',
    'ICKDLoss',
    'IsomapLoss',
    'KDLoss',
    'KDSVDLoss',
    'LLELoss',
    'LTSALoss',
    'LaplacianLoss',
    'LogitStdKDLoss',
    'MARSLoss',
    'MDSLoss',
    'MGDLoss',
    'MLKDLoss',
    'NKDLoss',
    'NSTLoss',
    'OFDLoss',
    'PKDLoss',
    'PKTLoss',
    'ParaphrasedFTLoss',
    'PerFrameATLoss',
    'RKDLoss',
    'SPLoss',
    'SRRLLoss',
    'SemCKDLoss',
    'SimilarityQueueLoss',
    'SpaceTimeATLoss',
    'TTMLoss',
    'TemporalDifferenceLoss',
    'TemporalOrderLoss',
    'TemporalRelationLoss',
    'VIDLoss',
    'WSLDLoss',
    'WTTMLoss',
]
