"""From a config to a weighting."""

import inspect
from collections.abc import Mapping

from mmkd_video.core.checked import keys_of
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.weightings.weighting import Weighting


def is_weighting(value: object) -> bool:
    """Return whether a config value describes a weighting: a dict whose type is one that is registered."""
    if not isinstance(value, Mapping) or 'type' not in value:
        return False
    found = _find(value['type'])
    return inspect.isclass(found) and issubclass(found, Weighting)


def build_weighting(config: Mapping, key: str) -> Weighting:
    """Build a weighting.

    Args:
        config: ``dict(type='Balanced', share=..., ...)``; it is not changed.
        key: The key that holds it, for messages.

    Raises:
        KeyError: An unknown argument; the message names those that are valid.
        ValueError: An argument is out of range.
    """
    arguments = dict(config)
    kind = _find(arguments.pop('type'))
    keys_of(kind).check(key, arguments)
    return kind(**arguments)


def _find(kind: object) -> object:
    return TASK_UTILS.get(kind) if isinstance(kind, str) else kind
