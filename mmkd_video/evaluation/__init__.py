"""Metrics beside accuracy, and a reference without a network."""

from mmkd_video.evaluation.agreement import AgreementMetric
from mmkd_video.evaluation.classification_report import ClassificationReport
from mmkd_video.evaluation.clip_scores import ClipScores, ScoredClips
from mmkd_video.evaluation.flow_histogram import flow_histogram
from mmkd_video.evaluation.logistic_regression import LogisticRegression

__all__ = [
    'AgreementMetric',
    'ClassificationReport',
    'ClipScores',
    'LogisticRegression',
    'ScoredClips',
    'flow_histogram',
]
