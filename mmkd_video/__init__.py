"""mmkd_video: add one block to an MMAction2 config and any recognizer teaches any other.

Importing the package is all that MMAction2 needs: it mends the breaks of today's stack (``compat``) and registers
every class by its plain name.
"""

from mmkd_video import compat  # noqa: F401  isort: skip  the stack must be mended before anything else is imported
from mmkd_video import connectors, distillers, evaluation, hooks, losses, schedules, teachers, terms, views  # noqa: F401
from mmkd_video.version import __version__

__all__ = ['__version__']
