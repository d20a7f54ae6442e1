"""mmkd_video: add one block to an MMAction2 config and any recognizer teaches any other.

Importing the package is all that MMAction2 needs: it mends the breaks of today's stack (``compat``) and registers
every class by its plain name.
"""

import traceback

from mmkd_video import compat  # isort: skip  the stack must be mended before anything else is imported
from mmkd_video.core.version import __version__

__all__ = ['__version__', 'register']


def register() -> None:
    """Import every room with classes that configs name, and with that register them; a second time does nothing.

    Raises:
        UnsafeEnvironmentError: The environment lets checkpoints run code.
        Exception: As the stack raises where it does not import.
    """
    compat.forced_loading.refuse()
    from mmkd_video import (  # noqa: F401
        connectors,
        datasets,
        distillers,
        evaluation,
        export,
        hooks,
        losses,
        models,
        pruning,
        schedules,
        teachers,
        terms,
        views,
        weightings,
    )


def _is_on_the_way_to_main() -> bool:
    """Return whether Python imports this package because it was asked to run it: ``python -m mmkd_video``.

    The standard library's ``runpy`` does so before it runs ``__main__``. What that runs registers for itself: the
    doctor must work where the stack does not import. No other import of the package is of this kind.
    """
    return any(
        frame.f_globals.get('__name__') == 'runpy' and frame.f_locals.get('mod_name') == f'{__name__}.__main__'
        for frame, _ in traceback.walk_stack(None)
    )


if not _is_on_the_way_to_main():
    register()
