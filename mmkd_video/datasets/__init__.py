"""Embedded clips, mixed lists and samplers."""

from mmkd_video.datasets import decoders  # noqa: F401  DecordInit follows the choice
from mmkd_video.datasets.class_video_dataset import ClassVideoDataset
from mmkd_video.datasets.episode_batch_sampler import EpisodeBatchSampler, EpisodeShape
from mmkd_video.datasets.frame_labels import LoadFrameLabels
from mmkd_video.datasets.keyed_batch_sampler import KeyedBatchSampler
from mmkd_video.datasets.mixed_batch_sampler import MixedBatchSampler
from mmkd_video.datasets.mixed_video_dataset import MixedVideoDataset
from mmkd_video.datasets.motion_set import render_motion_clips
from mmkd_video.datasets.named_errors import PipelineWithNamedErrors, name_unreadable_videos
from mmkd_video.datasets.one_decode import FlatCollate
from mmkd_video.datasets.replayed import build_replayed, hash_of_names, hash_of_pipeline
from mmkd_video.datasets.seeded import SampleKey, SeededDataset, seed_everything

__all__ = [
    'ClassVideoDataset',
    'EpisodeBatchSampler',
    'EpisodeShape',
    'FlatCollate',
    'KeyedBatchSampler',
    'LoadFrameLabels',
    'MixedBatchSampler',
    'MixedVideoDataset',
    'PipelineWithNamedErrors',
    'SampleKey',
    'SeededDataset',
    'build_replayed',
    'hash_of_names',
    'hash_of_pipeline',
    'name_unreadable_videos',
    'render_motion_clips',
    'seed_everything',
]
