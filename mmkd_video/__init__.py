"""mmkd_video: add one block to an MMAction2 config and any recognizer teaches any other.

Importing the package is all that MMAction2 needs: it mends the breaks of today's stack (``compat``) and registers
every class by its plain name.
"""

import re
import traceback

from mmkd_video import compat  # isort: skip  the stack must be mended before anything else is imported
from mmkd_video.core.version import __version__

__all__ = ['__version__', 'register']
_COMMAND = re.compile(r'[/\\](mmkd|mmkd-script\.py|mmkd\.exe([/\\]__main__\.py)?)$')  # what installers write


def register() -> None:
    """Import every room with classes that configs name, and with that register them; a second time does nothing.

    Raises:
        UnsafeEnvironmentError: The environment lets checkpoints run code.
        Exception: As the stack raises where it does not import.
    """
    compat.forced_loading.refuse()
    from mmkd_video import (  # noqa: F401
        adaptation,
        connectors,
        datasets,
        distillers,
        evaluation,
        export,
        hooks,
        losses,
        masking,
        meta,
        models,
        optimizers,
        pruning,
        robustness,
        schedules,
        self_supervised,
        teachers,
        terms,
        views,
        weightings,
    )


def _is_on_the_way_to_main() -> bool:
    """Return whether Python imports this package only to run a command: ``python -m mmkd_video`` or ``mmkd``.

    The standard library's ``runpy`` does the first, a script of that name that the installer has written the second.
    The commands register for themselves: the doctor must work where the stack does not import, and a list of the
    commands need not wait for it. No other import of the package is of this kind.
    """
    for frame, _ in traceback.walk_stack(None):
        name = frame.f_globals.get('__name__')
        if name == 'runpy' and frame.f_locals.get('mod_name') == f'{__name__}.__main__':
            return True
        if name == '__main__' and _COMMAND.search(str(frame.f_globals.get('__file__'))):
            return True
    return False


if not _is_on_the_way_to_main():
    register()
