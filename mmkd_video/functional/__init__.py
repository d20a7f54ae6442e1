"""Pure maths on tensors; imports torch only."""

from mmkd_video.functional.attention import attention_map, attention_transfer
from mmkd_video.functional.correlation import dist, pearson
from mmkd_video.functional.divergence import kd, kl_divergence, log_probabilities
from mmkd_video.functional.layout import channels_and_positions

__all__ = [
    'attention_map',
    'attention_transfer',
    'channels_and_positions',
    'dist',
    'kd',
    'kl_divergence',
    'log_probabilities',
    'pearson',
]
