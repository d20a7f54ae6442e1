"""mmkd_video: add one block to an MMAction2 config and any recognizer teaches any other.

Importing the package is all that MMAction2 needs: it mends the breaks of today's stack (``compat``) and registers
every class by its plain name.
"""

import sys

from mmkd_video import compat  # isort: skip  the stack must be mended before anything else is imported
from mmkd_video.core.version import __version__

if sys.argv[:2] != ['-m', 'doctor']:  # `python -m mmkd_video doctor` must run where the stack does not import
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

__all__ = ['__version__']
