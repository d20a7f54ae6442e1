"""Metrics beside accuracy."""

from mmkd_video.evaluation.agreement import AgreementMetric
from mmkd_video.evaluation.classification_report import ClassificationReport
from mmkd_video.evaluation.clip_scores import ClipScores, ScoredClips

__all__ = ['AgreementMetric', 'ClassificationReport', 'ClipScores', 'ScoredClips']
