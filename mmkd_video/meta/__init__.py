"""Meta-learning: students that learn from a few clips, teachers and weights that learn from what they bring about."""

from mmkd_video.meta.algorithm import MetaAlgorithm, Outcome
from mmkd_video.meta.episode import Episode, episodes_of
from mmkd_video.meta.evaluation_loops import EpisodeTestLoop, EpisodeValLoop
from mmkd_video.meta.learner import Learner
from mmkd_video.meta.maml import MAML
from mmkd_video.meta.meta_distil_hook import MetaDistilHook
from mmkd_video.meta.meta_weight_hook import MetaWeightHook
from mmkd_video.meta.prototypical import ProtoNet
from mmkd_video.meta.reptile import Reptile
from mmkd_video.meta.train_loop import EpisodeTrainLoop

__all__ = [
    'MAML',
    'Episode',
    'EpisodeTestLoop',
    'EpisodeTrainLoop',
    'EpisodeValLoop',
    'Learner',
    'MetaAlgorithm',
    'MetaDistilHook',
    'MetaWeightHook',
    'Outcome',
    'ProtoNet',
    'Reptile',
    'episodes_of',
]
