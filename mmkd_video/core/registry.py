"""The registries that mmkd_video registers into, all of them MMAction2's own.

Users therefore write plain type names in their configs. Nothing here is new: the module exists so that the rest of the
package imports its registries from one leaf.
"""

import inspect
from collections.abc import Mapping

from mmaction.registry import DATA_SAMPLERS, DATASETS, HOOKS, LOOPS, METRICS, MODELS, TASK_UTILS, TRANSFORMS
from mmengine.registry import DefaultScope, Registry
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
    'kinds_of',
]


def build_model(config: Mapping) -> nn.Module:
    """Build a recognizer of MMAction2, also where no runner has set the default scope.

    Args:
        config: ``dict(type='Recognizer3D', ...)``; it is not changed.
    """
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(dict(config))


def kinds_of(base: type, registry: Registry = TASK_UTILS) -> list[type]:
    """Return the registered classes of one kind, in the order of their registration; those of users too.

    Args:
        base: The class that all of the kind inherit.
        registry: The registry they are in.
    """
    classes = registry.module_dict.values()
    return [each for each in classes if inspect.isclass(each) and issubclass(each, base) and each is not base]
