"""Metrics beside accuracy."""

from mmkd_video.evaluation.agreement import AgreementMetric

__all__ = ['AgreementMetric']
