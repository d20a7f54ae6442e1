"""Hooks: what changes between steps; one class per file."""

from mmkd_video.hooks.annealing_hook import AnnealingHook
from mmkd_video.hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from mmkd_video.hooks.checkpoint_guard_hook import CheckpointGuardHook
from mmkd_video.hooks.distill_hook import DistillHook
from mmkd_video.hooks.distill_watch_hook import DistillWatchHook
from mmkd_video.hooks.feature_similarity_hook import FeatureSimilarityHook
from mmkd_video.hooks.finite_hook import FiniteHook
from mmkd_video.hooks.freeze_hook import FreezeHook
from mmkd_video.hooks.memory_format_hook import MemoryFormatHook
from mmkd_video.hooks.pruning_hook import PruningHook
from mmkd_video.hooks.qat_hook import QATHook
from mmkd_video.hooks.reproducible_hook import ReproducibleHook
from mmkd_video.hooks.stop_signal_hook import StopSignalHook
from mmkd_video.hooks.teacher_predictions_hook import TeacherPredictionsHook
from mmkd_video.hooks.term_stop_hook import TermStopHook

__all__ = [
    'AnnealingHook',
    'AtomicCheckpointHook',
    'CheckpointGuardHook',
    'DistillHook',
    'DistillWatchHook',
    'FeatureSimilarityHook',
    'FiniteHook',
    'FreezeHook',
    'MemoryFormatHook',
    'PruningHook',
    'QATHook',
    'ReproducibleHook',
    'StopSignalHook',
    'TeacherPredictionsHook',
    'TermStopHook',
]
