"""The registries that mmkd_video registers into, all of them MMAction2's own.

Users therefore write plain type names in their configs. Nothing here is new: the module exists so that the rest of the
package imports its registries from one leaf.
"""

from mmaction.registry import HOOKS, LOOPS, METRICS, MODELS, TASK_UTILS, TRANSFORMS

__all__ = ['HOOKS', 'LOOPS', 'METRICS', 'MODELS', 'TASK_UTILS', 'TRANSFORMS']
