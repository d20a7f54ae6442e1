"""Metrics beside accuracy."""

from mmkd_video.evaluation.agreement import AgreementMetric
from mmkd_video.evaluation.classification_report import ClassificationReport

__all__ = ['AgreementMetric', 'ClassificationReport']
