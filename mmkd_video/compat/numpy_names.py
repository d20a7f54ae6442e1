"""``PoseCompact`` and ``MMCompact`` fail with ``AttributeError: `np.Inf` was removed in the NumPy 2.0 release``.

Cause: MMAction2's transforms of skeletons use a name that numpy 2 took out
(https://numpy.org/doc/stable/numpy_2_0_migration_guide.html).

Mend: the module that uses it sees a numpy that has the name.
"""

from types import ModuleType
from typing import Any

from mmkd_video.compat.patching import after_import

NAMES = {'Inf': float('inf')}


class _NumpyWithOldNames(ModuleType):
    """numpy as it is, and the names that were taken out."""

    def __init__(self, numpy: ModuleType) -> None:
        super().__init__(numpy.__name__, numpy.__doc__)
        self.__dict__['real'] = numpy
        self.__dict__.update(NAMES)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__['real'], name)


def _mend(module: ModuleType) -> None:
    if applies() and not isinstance(module.np, _NumpyWithOldNames):
        module.np = _NumpyWithOldNames(module.np)


def applies() -> bool:
    """Return whether numpy lacks one of the names."""
    import numpy

    return not all(name in vars(numpy) for name in NAMES)


def apply() -> None:
    """Give the names back when MMAction2's transforms of skeletons are imported."""
    after_import('mmaction.datasets.transforms.pose_transforms', _mend)
