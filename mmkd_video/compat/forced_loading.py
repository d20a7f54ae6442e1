"""``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1`` lets every checkpoint run code; nothing of this package starts under it.

It is a common remedy for what :mod:`checkpoints` mends, so it may be set without anybody knowing any more. This package
reads checkpoints safely whatever it says, but MMAction2 and others in the same process do not.
"""

import os
import sys
from types import TracebackType

from mmkd_video.compat.mistakes import Mistake

FORCED, ALLOWED = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', 'MMKD_ALLOW_UNSAFE_LOAD'
_YES = ('1', 'y', 'yes', 'true')  # as torch reads it


class UnsafeEnvironmentError(Mistake, RuntimeError):
    """The environment switches a protection off; told in one line, without a traceback."""


def is_forced() -> bool:
    """Return whether the environment makes torch run what checkpoints hold."""
    return os.environ.get(FORCED, '0').lower() in _YES


def is_allowed() -> bool:
    """Return whether the user knows and wants it."""
    return os.environ.get(ALLOWED, '0').lower() in _YES


def refuse() -> None:
    """End here where checkpoints could run code, unless that is wanted.

    Raises:
        UnsafeEnvironmentError: They could.
    """
    if not is_forced() or is_allowed():
        return
    _tell_in_one_line()
    raise UnsafeEnvironmentError(
        f'{FORCED} is set, so that checkpoints could run code; unset it (mmkd_video reads those of MMEngine without '
        f'it), or set {ALLOWED}=1 where another package needs it and you trust every file'
    )


def _tell_in_one_line() -> None:
    before = sys.excepthook

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, UnsafeEnvironmentError):
            print(f'error: {error}', file=sys.stderr)
        else:
            before(kind, error, trace)

    sys.excepthook = tell
