"""Every command begins with three warnings that a user can do nothing about.

Cause: mmcv tries to import an operator that mmcv-lite does not have and recognition does not need (``Fail to import
``MultiScaleDeformableAttention````); mmengine 0.10 imports ``pkg_resources``, which newer setuptools call deprecated.

Fix: these two messages are not shown. Filters that the user gave to Python (``-W``, ``PYTHONWARNINGS``) win.
"""

import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

MESSAGES = ('Fail to import ``MultiScaleDeformableAttention``', 'pkg_resources is deprecated as an API')


def applies() -> bool:
    """Return whether mmcv has no operators, or setuptools still has ``pkg_resources``; imports neither."""
    mmcv = find_spec('mmcv')
    folders = mmcv.submodule_search_locations if mmcv is not None else None
    return (
        not any(list(Path(folder).glob('_ext.*')) for folder in folders or ()) or find_spec('pkg_resources') is not None
    )


def apply() -> None:
    """Leave out the two messages, unless the user has filters of his own."""
    if sys.warnoptions or not applies():
        return
    for message in MESSAGES:
        warnings.filterwarnings('ignore', message, UserWarning)
