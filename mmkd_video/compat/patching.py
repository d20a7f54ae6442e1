"""How patches are applied: when their module is imported, and never twice.

Nothing heavy is imported to be patched: a patch waits for the import of its module.
"""

import functools
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Callback = Callable[[ModuleType], None]


class _AfterImport(MetaPathFinder):
    """Lets the other finders find a module, and calls back when it has been executed."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[Callback]] = {}
        self._searching: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of the other finders with its execution extended, or None for names without a callback."""
        if fullname not in self.waiting or fullname in self._searching:
            return None
        self._searching.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._searching.discard(fullname)
        if spec is None or not hasattr(spec.loader, 'exec_module'):
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            for callback in self.waiting.pop(fullname, []):
                callback(module)

        # On the instance, so that the loader keeps its type: inspect and pickle see the loader they know.
        spec.loader.exec_module = exec_module
        return spec


_FINDER = _AfterImport()


def after_import(name: str, callback: Callback) -> None:
    """Call ``callback(module)`` now if the module is imported already, else right after its import.

    Args:
        name: Full name of the module.
        callback: Function that receives the module. It must be idempotent; the same function is registered once.
    """
    if name in sys.modules:
        callback(sys.modules[name])
        return
    waiting = _FINDER.waiting.setdefault(name, [])
    if callback not in waiting:
        waiting.append(callback)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def wrap(owner: Any, name: str, make: Callable[[Callable], Callable]) -> None:
    """Replace ``owner.name`` by ``make(original)``, once per ``make``; the original stays reachable as ``__wrapped__``.

    Args:
        owner: Module or class.
        name: Name of a function, method, classmethod or staticmethod that ``owner`` itself defines.
        make: Function that takes the plain function and returns the one to put in its place.
    """
    found = vars(owner)[name]
    kind = type(found) if isinstance(found, (classmethod, staticmethod)) else None
    original = found.__func__ if kind else found
    patch = f'{make.__module__}.{make.__qualname__}'
    patches = getattr(original, 'mmkd_video_patches', ())
    if patch in patches:
        return
    patched = functools.wraps(original)(make(original))
    patched.mmkd_video_patches = (*patches, patch)
    setattr(owner, name, kind(patched) if kind else patched)


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set ``owner.name`` to ``value`` inside the ``with`` block, and restore it afterwards, also after an error.

    Args:
        owner: Module or object.
        name: Name of an attribute that exists.
        value: The value inside the block.
    """
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
