"""Pure maths on tensors; imports torch only."""

from mmkd_video.functional.attention import attention_map, attention_transfer
from mmkd_video.functional.channels import channel_correlation, channel_wise, neuron_selectivity
from mmkd_video.functional.contrast import noise_contrast, other_indices
from mmkd_video.functional.correlation import dist, pearson
from mmkd_video.functional.divergence import kd, kl_divergence, log_probabilities
from mmkd_video.functional.elementwise import (
    activation_boundary,
    batch_norm_margin,
    factor_transfer,
    mean_square,
    overhaul,
    pearson_features,
)
from mmkd_video.functional.gather import gather_batch
from mmkd_video.functional.gram import gram
from mmkd_video.functional.labels import class_indices, log_odds, non_target_logits
from mmkd_video.functional.layout import channels_and_positions
from mmkd_video.functional.manifold import (
    geodesic_distances,
    isomap,
    laplacian_eigenmap,
    local_tangent_space,
    locally_linear,
    multidimensional_scaling,
    nearest_neighbours,
    reconstruction_weights,
)
from mmkd_video.functional.multi_level import mlkd
from mmkd_video.functional.normalize import unit
from mmkd_video.functional.pyramid import class_attention, flow_of_procedure, hierarchical_context, pool_map
from mmkd_video.functional.relations import (
    correlation_congruence,
    pairwise_distances,
    probabilistic_transfer,
    relational_angles,
    relational_distances,
    similarity_preserving,
)
from mmkd_video.functional.singular import right_singular_vectors, singular_flow
from mmkd_video.functional.target_class import dkd, nkd, wsld
from mmkd_video.functional.temporal import (
    frame_importance,
    frame_vectors,
    per_frame_attention,
    space_time_attention,
    temporal_difference,
    temporal_order,
    temporal_relation,
)
from mmkd_video.functional.transformed_teacher import logit_std_kd, ttm, wttm

__all__ = [
    'activation_boundary',
    'attention_map',
    'attention_transfer',
    'batch_norm_margin',
    'channel_correlation',
    'channel_wise',
    'channels_and_positions',
    'class_attention',
    'class_indices',
    'correlation_congruence',
    'dist',
    'dkd',
    'factor_transfer',
    'flow_of_procedure',
    'frame_importance',
    'frame_vectors',
    'gather_batch',
    'gram',
    'geodesic_distances',
    'hierarchical_context',
    'isomap',
    'kd',
    'kl_divergence',
    'laplacian_eigenmap',
    'local_tangent_space',
    'locally_linear',
    'log_odds',
    'log_probabilities',
    'logit_std_kd',
    'mean_square',
    'mlkd',
    'multidimensional_scaling',
    'nearest_neighbours',
    'neuron_selectivity',
    'nkd',
    'noise_contrast',
    'non_target_logits',
    'other_indices',
    'overhaul',
    'pairwise_distances',
    'pearson',
    'pearson_features',
    'per_frame_attention',
    'pool_map',
    'probabilistic_transfer',
    'reconstruction_weights',
    'relational_angles',
    'relational_distances',
    'right_singular_vectors',
    'similarity_preserving',
    'singular_flow',
    'space_time_attention',
    'temporal_difference',
    'temporal_order',
    'temporal_relation',
    'ttm',
    'unit',
    'wsld',
    'wttm',
]
