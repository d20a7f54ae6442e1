"""Every checkpoint waits for its config to be formatted again, a third of a second or more.

Cause: ``Config.pretty_text`` has yapf format the whole config each time it is asked, at least four times before the
first step and once in each checkpoint.

Fix: the texts that were formatted last are kept; a config that has changed is another text, and is formatted.
"""

from collections import OrderedDict
from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmkd_video.compat.patching import after_import, wrap

MODULE = 'mmengine.config.config'
KEPT = 8


def _with_cache(format_code: Callable) -> Callable:
    known: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def patched(text: str, **style: Any) -> Any:
        key = (text, repr(style))
        if key not in known:
            known[key] = format_code(text, **style)
        known.move_to_end(key)
        while len(known) > KEPT:
            known.popitem(last=False)
        return known[key]

    return patched


def _patch(module: ModuleType) -> None:
    wrap(module, 'FormatCode', _with_cache)


def applies() -> bool:
    """Return whether MMEngine has yapf format its configs."""
    import mmengine.config.config as module

    return hasattr(module, 'FormatCode')


def apply() -> None:
    """Wrap the formatter when MMEngine's configs are imported."""
    after_import(MODULE, _patch)
