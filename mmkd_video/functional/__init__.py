"""Pure maths on tensors; imports torch only."""

from mmkd_video.functional.adaptation import descend
from mmkd_video.functional.adversarial import iad, loss_rate_share
from mmkd_video.functional.alignment import cka_from_hsic, unbiased_hsic
from mmkd_video.functional.attention import at, attention_map, catkd, per_frame_at, space_time_at
from mmkd_video.functional.binary import binary_divergence, binary_kd
from mmkd_video.functional.boundaries import boundary_kd, change_log_odds
from mmkd_video.functional.centred import centred_cross_entropy
from mmkd_video.functional.channels import cwd, nst
from mmkd_video.functional.contrast import noise_contrast, other_indices
from mmkd_video.functional.correlation import dist, ickd, pearson, pkd
from mmkd_video.functional.cosine import cosine
from mmkd_video.functional.density_ratio import gaussian_kernel, kernel_mean_matching, kliep, logistic_ratio
from mmkd_video.functional.divergence import kd, kl_divergence, log_probabilities
from mmkd_video.functional.domains import coral, domain_entropy, entropy_weights, mmd, multilinear_map, reverse_gradient
from mmkd_video.functional.elementwise import ab, batch_norm_margin, ft, mean_square, ofd
from mmkd_video.functional.ensembles import (
    label_cross_entropy,
    min_norm_weights,
    mix_logits,
    mix_probabilities,
    prediction_entropy,
)
from mmkd_video.functional.equal_variance import equal_variance_rotation, hadamard
from mmkd_video.functional.exemplars import aligned_classifier, herding, nearest_mean_classifier
from mmkd_video.functional.gram import gram
from mmkd_video.functional.hard_labels import hard_kd
from mmkd_video.functional.labels import class_indices, decides_for_label, log_odds, non_target_logits, top_probability
from mmkd_video.functional.layout import channels_and_positions, frame_vectors, pool_map, resample_map, time_first
from mmkd_video.functional.manifold import (
    geodesic_distances,
    isomap,
    laplacian,
    lle,
    ltsa,
    mds,
    nearest_neighbours,
    reconstruction_weights,
)
from mmkd_video.functional.multi_level import mlkd
from mmkd_video.functional.normalize import LEAST_SPREAD, divide, mean_norm, unit
from mmkd_video.functional.positions import sine_positions
from mmkd_video.functional.prototypes import prototype_scores, prototypes
from mmkd_video.functional.pyramid import fsp, hcl
from mmkd_video.functional.queue_similarities import similarity_queue
from mmkd_video.functional.relations import cc, pairwise_distances, pkt, rkd_angles, rkd_distances, sp
from mmkd_video.functional.retrieval import average_precision, recall_at
from mmkd_video.functional.segments import edit_score, segment_hits, segments
from mmkd_video.functional.singular import kdsvd, right_singular_vectors
from mmkd_video.functional.target_class import dkd, nkd, wsld
from mmkd_video.functional.temporal import frame_importance, temporal_difference, temporal_order, temporal_relation
from mmkd_video.functional.transformed_teacher import logit_std_kd, standardise, ttm, wttm

__all__ = [
    'LEAST_SPREAD',
    'ab',
    'aligned_classifier',
    'at',
    'attention_map',
    'average_precision',
    'batch_norm_margin',
    'binary_divergence',
    'binary_kd',
    'boundary_kd',
    'catkd',
    'cc',
    'change_log_odds',
    'channels_and_positions',
    'centred_cross_entropy',
    'cka_from_hsic',
    'class_indices',
    'coral',
    'cosine',
    'cwd',
    'decides_for_label',
    'descend',
    'dist',
    'divide',
    'dkd',
    'domain_entropy',
    'edit_score',
    'entropy_weights',
    'equal_variance_rotation',
    'frame_importance',
    'frame_vectors',
    'fsp',
    'ft',
    'gaussian_kernel',
    'geodesic_distances',
    'gram',
    'hadamard',
    'hard_kd',
    'hcl',
    'iad',
    'herding',
    'ickd',
    'isomap',
    'kd',
    'kdsvd',
    'kernel_mean_matching',
    'kl_divergence',
    'kliep',
    'label_cross_entropy',
    'laplacian',
    'lle',
    'log_odds',
    'log_probabilities',
    'logistic_ratio',
    'logit_std_kd',
    'loss_rate_share',
    'ltsa',
    'mds',
    'mean_norm',
    'mean_square',
    'min_norm_weights',
    'mix_logits',
    'mix_probabilities',
    'mlkd',
    'mmd',
    'multilinear_map',
    'nearest_mean_classifier',
    'nearest_neighbours',
    'nkd',
    'noise_contrast',
    'non_target_logits',
    'nst',
    'ofd',
    'other_indices',
    'pairwise_distances',
    'pearson',
    'per_frame_at',
    'pkd',
    'pkt',
    'pool_map',
    'resample_map',
    'prediction_entropy',
    'prototype_scores',
    'prototypes',
    'recall_at',
    'reconstruction_weights',
    'reverse_gradient',
    'right_singular_vectors',
    'rkd_angles',
    'rkd_distances',
    'segment_hits',
    'segments',
    'similarity_queue',
    'sine_positions',
    'sp',
    'space_time_at',
    'standardise',
    'temporal_difference',
    'temporal_order',
    'temporal_relation',
    'time_first',
    'top_probability',
    'ttm',
    'unbiased_hsic',
    'unit',
    'wsld',
    'wttm',
]
