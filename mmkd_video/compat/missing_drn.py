"""``import mmaction.models`` fails with ``No module named 'mmaction.models.localizers.drn'`` (or ``'torchvision'``).

Cause: the folder ``localizers/drn`` of MMAction2 1.2.0 has no ``__init__.py``, so neither its wheel nor its sdist
contains it; where it does exist (an install from git) it imports torchvision, which recognition does not need.

Fix: a finder on ``sys.meta_path`` that answers for this one package with a ``DRN`` that says why it cannot be built.
It asks at import time, and stands aside when the real package is there and torchvision imports.
"""

import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType

from mmkd_video.compat.mistakes import Mistake

PACKAGE = 'mmaction.models.localizers.drn'
MODULE = f'{PACKAGE}.drn'


class MissingDRNError(Mistake, ImportError):
    """MMAction2's DRN localizer is not installed."""


class _StandInDRN:
    """Takes the place of MMAction2's DRN localizer, which cannot be imported here."""

    def __init__(self, *args, **kwargs) -> None:
        raise MissingDRNError(
            'DRN is not available: this MMAction2 was installed without mmaction/models/localizers/drn, or torchvision '
            'does not import. Install MMAction2 from its git repository and a torchvision that fits your torch.'
        )


class _StandInLoader(Loader):
    """Makes the empty package and its one module."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Leave the creation of the module to Python."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module: the package gets a path, the module inside it the class."""
        if module.__name__ == PACKAGE:
            module.__path__ = []
        else:
            module.DRN = _StandInDRN


class MissingDrnFinder(MetaPathFinder):
    """Answers for MMAction2's ``drn`` package alone, and only when the real one cannot be imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of the stand-in, or None to leave the name to the other finders."""
        if fullname == PACKAGE:
            stand_in = not self._real_one_imports(path)
        elif fullname == MODULE:
            stand_in = isinstance(getattr(sys.modules.get(PACKAGE), '__loader__', None), _StandInLoader)
        else:
            return None
        if not stand_in:
            return None
        return importlib.machinery.ModuleSpec(fullname, _StandInLoader(), is_package=fullname == PACKAGE)

    def _real_one_imports(self, path: Sequence[str] | None) -> bool:
        others = [finder for finder in sys.meta_path if finder is not self and hasattr(finder, 'find_spec')]
        if all(finder.find_spec(PACKAGE, path, None) is None for finder in others):
            return False
        try:
            importlib.import_module('torchvision')
        except Exception:  # a wheel built for another torch fails with RuntimeError or OSError
            return False
        return True


def _installed() -> bool:
    return any(type(finder).__name__ == MissingDrnFinder.__name__ for finder in sys.meta_path)


def applies() -> bool:
    """Return whether the real package is missing or cannot be imported; imports nothing of MMAction2 but its root."""
    root = importlib.util.find_spec('mmaction')
    if root is None or not root.submodule_search_locations:
        return False
    folders = [f'{location}/models/localizers' for location in root.submodule_search_locations]
    return not MissingDrnFinder()._real_one_imports(folders)


def apply() -> None:
    """Put the finder first on ``sys.meta_path``; whether it answers is decided when the import happens."""
    if PACKAGE not in sys.modules and not _installed():
        sys.meta_path.insert(0, MissingDrnFinder())
