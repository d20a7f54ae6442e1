"""Pruning: smaller recognizers from large ones; takes an ``nn.Module`` and knows nothing of distillation."""

from mmkd_video.pruning.compression import Pruning
from mmkd_video.pruning.cut import Cut
from mmkd_video.pruning.history import PRUNING_KEY, PruningHistory, PruningStep, checked_history, history_of
from mmkd_video.pruning.kept import kept_channels
from mmkd_video.pruning.loading import check_widths, watch_loading
from mmkd_video.pruning.masks import bake_masks, mask_weights
from mmkd_video.pruning.measures import count_flops, count_params, latency_ratio
from mmkd_video.pruning.optimizer_state import cut_optimizer_state
from mmkd_video.pruning.prune import fraction_after, prune
from mmkd_video.pruning.pruner import TARGET, Pruner
from mmkd_video.pruning.recognizer import build_pruned_recognizer, unpruned_config
from mmkd_video.pruning.surgery import TensorCuts, apply_step, remove_channels, replay
from mmkd_video.pruning.zeroing import surviving_channels

__all__ = [
    'PRUNING_KEY',
    'TARGET',
    'Cut',
    'Pruner',
    'Pruning',
    'PruningHistory',
    'checked_history',
    'PruningStep',
    'TensorCuts',
    'apply_step',
    'bake_masks',
    'build_pruned_recognizer',
    'cut_optimizer_state',
    'check_widths',
    'count_flops',
    'count_params',
    'fraction_after',
    'history_of',
    'kept_channels',
    'latency_ratio',
    'mask_weights',
    'prune',
    'remove_channels',
    'replay',
    'surviving_channels',
    'unpruned_config',
]

watch_loading()
