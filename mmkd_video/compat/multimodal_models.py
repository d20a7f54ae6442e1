"""``import mmaction.models`` fails where ``transformers`` is installed: ``No module named 'timm'``, or another name.

Cause: MMAction2 1.2.0 imports its models of videos and text (VindLU) wherever it finds transformers 4.28 or newer. They
need timm as well, and names that transformers 5 no longer has.

Fix: where timm is missing or transformers is too new, MMAction2 is told that there is no transformers. It registers
placeholders for these models, which recognition does not need, as in every installation without transformers.
"""

import importlib.util
from importlib import metadata
from types import ModuleType

from mmkd_video.compat.patching import after_import

FIRST_TOO_NEW = 5


def _leave_out(module: ModuleType) -> None:
    if applies():
        module.WITH_MULTIMODAL = False


def applies() -> bool:
    """Return whether transformers is there, and MMAction2's models of videos and text cannot import; imports none."""
    try:
        major = metadata.version('transformers').partition('.')[0]
    except metadata.PackageNotFoundError:
        return False
    too_new = major.isdecimal() and int(major) >= FIRST_TOO_NEW
    return too_new or importlib.util.find_spec('timm') is None


def apply() -> None:
    """Answer for transformers when MMAction2 has asked which optional packages there are."""
    after_import('mmaction.utils.dependency', _leave_out)
