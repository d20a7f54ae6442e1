"""The registries that mmkd_video registers into, all of them MMAction2's own.

Users therefore write plain type names in their configs. Nothing here is new: the module exists so that the rest of the
package imports its registries from one leaf.
"""

from collections.abc import Mapping

from mmaction.registry import DATA_SAMPLERS, DATASETS, HOOKS, LOOPS, METRICS, MODELS, TASK_UTILS, TRANSFORMS
from mmengine.registry import DefaultScope
from torch import nn

__all__ = [
    'DATASETS',
    'DATA_SAMPLERS',
    'HOOKS',
    'LOOPS',
    'METRICS',
    'MODELS',
    'TASK_UTILS',
    'TRANSFORMS',
    'build_model',
]


def build_model(config: Mapping) -> nn.Module:
    """Build a recognizer of MMAction2, also where no runner has set the default scope.

    Args:
        config: ``dict(type='Recognizer3D', ...)``; it is not changed.
    """
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(dict(config))
