"""``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1`` lets every checkpoint run code; nothing of this package starts under it.

It is a common workaround for what :mod:`checkpoints` patches, so it may be set and forgotten. This package
reads checkpoints safely all the same, but MMAction2 and others in the same process do not.
"""

import os
import sys
from types import TracebackType

from mmkd_video.compat.mistakes import Mistake

FORCED, ALLOWED = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', 'MMKD_ALLOW_UNSAFE_LOAD'
_YES = ('1', 'y', 'yes', 'true')  # as torch reads it


class UnsafeEnvironmentError(Mistake, RuntimeError):
    """The environment switches a protection off; shown as one line, without a traceback."""


def is_forced() -> bool:
    """Return whether the environment makes torch run what checkpoints hold."""
    return os.environ.get(FORCED, '0').lower() in _YES


def is_allowed() -> bool:
    """Return whether the user has allowed that."""
    return os.environ.get(ALLOWED, '0').lower() in _YES


def refuse() -> None:
    """Refuse to go on where checkpoints could run code, unless the user has allowed that.

    Raises:
        UnsafeEnvironmentError: Checkpoints could run code.
    """
    if not is_forced() or is_allowed():
        return
    _hide_tracebacks()
    raise UnsafeEnvironmentError(
        f'{FORCED} is set, so that checkpoints could run code; unset it (mmkd_video reads those of MMEngine without '
        f'it), or set {ALLOWED}=1 where another package needs it and you trust every file'
    )


def _hide_tracebacks() -> None:
    before = sys.excepthook

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, UnsafeEnvironmentError):
            print(f'error: {error}', file=sys.stderr)
        else:
            before(kind, error, trace)

    sys.excepthook = tell
