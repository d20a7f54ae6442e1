"""MMAction2's ``PytorchVideoWrapper`` fails with ``Install pytorchvideo``, also where pytorchvideo is installed.

Cause: pytorchvideo 0.1.5 imports ``torchvision.transforms.functional_tensor``, which torchvision 0.17 renamed to
``_functional_tensor``, and the wrapper takes every ImportError for a missing pytorchvideo.

Mend: a finder on ``sys.meta_path`` that comes last, so that it is asked only where torchvision has no such module, and
answers with what is in the renamed one. The wrapper's error says what did not import.
See https://github.com/facebookresearch/pytorchvideo/issues/271.
"""

import importlib
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType
from typing import Any

from mmkd_video.compat.mistakes import Mistake
from mmkd_video.compat.patching import after_import, wrap

OLD, NEW = 'torchvision.transforms.functional_tensor', 'torchvision.transforms._functional_tensor'


class MissingPytorchVideoError(Mistake, RuntimeError):
    """What MMAction2's PytorchVideoWrapper needs does not import."""


class _RenamedLoader(Loader):
    """Fills a module with what another one holds."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Leave the creation of the module to Python."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Take over all names but Python's own."""
        renamed = importlib.import_module(NEW)
        vars(module).update({name: value for name, value in vars(renamed).items() if not name.startswith('__')})


class RenamedModuleFinder(MetaPathFinder):
    """Answers for the one module that torchvision renamed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec for the old name where there is the new one."""
        if fullname != OLD or not _found(NEW):
            return None
        return importlib.machinery.ModuleSpec(fullname, _RenamedLoader())


def _found(name: str) -> bool:
    """Tell whether there is such a module, whoever but this file answers for it."""
    parent = sys.modules.get(name.rpartition('.')[0])
    others = [each for each in sys.meta_path if not _is_ours(each) and hasattr(each, 'find_spec')]
    return any(each.find_spec(name, getattr(parent, '__path__', None), None) is not None for each in others)


def _is_ours(finder: Any) -> bool:
    return type(finder).__name__ == RenamedModuleFinder.__name__


def _say_what_is_missing(init: Callable) -> Callable:
    def say(self: Any, op: str, **kwargs: Any) -> None:
        try:
            importlib.import_module('pytorchvideo.transforms')
        except ImportError as error:
            raise MissingPytorchVideoError(
                f'PytorchVideoWrapper: pytorchvideo.transforms does not import ({error}); pip install pytorchvideo '
                'and a torchvision that fits your torch, or take this step out of the pipeline'
            ) from error
        init(self, op, **kwargs)

    return say


def _mend(module: ModuleType) -> None:
    wrap(module.PytorchVideoWrapper, '__init__', _say_what_is_missing)


def applies() -> bool:
    """Return whether a torchvision is installed that has renamed the module."""
    try:
        importlib.import_module('torchvision.transforms')
    except Exception:  # absent, or a wheel built for another torch
        return False
    return _found(NEW) and not _found(OLD)


def apply() -> None:
    """Put the finder last on ``sys.meta_path``, and wrap the transform when MMAction2's are imported."""
    if not any(map(_is_ours, sys.meta_path)):
        sys.meta_path.append(RenamedModuleFinder())
    after_import('mmaction.datasets.transforms.wrappers', _mend)
