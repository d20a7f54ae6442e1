"""Metrics beside accuracy, and a reference without a network."""

from mmkd_video.evaluation.agreement import AgreementMetric
from mmkd_video.evaluation.cka import LEAST_SAMPLES, MinibatchCKA, centred_gram, name_of_pair
from mmkd_video.evaluation.classification_report import ClassificationReport
from mmkd_video.evaluation.clip_retrieval import ClipRetrieval
from mmkd_video.evaluation.clip_scores import ClipScores, ScoredClips
from mmkd_video.evaluation.episode_accuracy import EpisodeAccuracy
from mmkd_video.evaluation.flow_histogram import flow_histogram
from mmkd_video.evaluation.logistic_regression import LogisticRegression
from mmkd_video.evaluation.segmentation_metric import SegmentationMetric

__all__ = [
    'LEAST_SAMPLES',
    'AgreementMetric',
    'ClassificationReport',
    'ClipRetrieval',
    'ClipScores',
    'EpisodeAccuracy',
    'LogisticRegression',
    'MinibatchCKA',
    'ScoredClips',
    'SegmentationMetric',
    'centred_gram',
    'flow_histogram',
    'name_of_pair',
]
