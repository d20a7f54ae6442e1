"""The registries that mmkd_video registers into.

What configs build goes into MMAction2's own, so that users write plain type names. Two of ours hold classes that no
config builds, and that tools look up by the name of a runtime or by the key of a checkpoint.
"""

from collections.abc import Mapping

from mmaction.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    TASK_UTILS,
    TRANSFORMS,
)
from mmengine.registry import DefaultScope, Registry
from torch import nn

__all__ = [
    'COMPRESSIONS',
    'DATASETS',
    'DATA_SAMPLERS',
    'EXPORT_BACKENDS',
    'HOOKS',
    'LOOPS',
    'METRICS',
    'MODELS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
    'TASK_UTILS',
    'TRANSFORMS',
    'build_model',
]

COMPRESSIONS = Registry('compression', scope='mmkd_video')
"""Subclasses of :class:`mmkd_video.core.compression.Compression`."""
EXPORT_BACKENDS = Registry('export backend', scope='mmkd_video')
"""Subclasses of :class:`mmkd_video.export.ExportedModel`."""


def build_model(config: Mapping) -> nn.Module:
    """Build a recognizer of MMAction2, also where no runner has set the default scope.

    Args:
        config: ``dict(type='Recognizer3D', ...)``; it is not changed.
    """
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(dict(config))
