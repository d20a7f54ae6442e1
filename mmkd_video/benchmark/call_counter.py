"""Counting calls of a method."""

import functools
from types import TracebackType


class CallCounter:
    """Count the calls of one method while a block runs.

    Args:
        owner: The class or object that holds it.
        name: Name of the method.

    Attributes:
        calls: Calls so far.
        items: Length of the first argument (of ``self`` aside), summed over the calls that have one with a length.

    Raises:
        AttributeError: There is no such method.
    """

    def __init__(self, owner: object, name: str) -> None:
        self.owner, self.name = owner, name
        self.calls = self.items = 0
        self._original = getattr(owner, name)
        self._own = name in vars(owner)

    def __enter__(self) -> 'CallCounter':
        original, skip = self._original, int(isinstance(self.owner, type))

        @functools.wraps(original)
        def counted(*args, **kwargs) -> object:
            self.calls += 1
            first = args[skip] if len(args) > skip else None
            self.items += len(first) if hasattr(first, '__len__') else 0
            return original(*args, **kwargs)

        setattr(self.owner, self.name, counted)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._own:
            setattr(self.owner, self.name, self._original)
        else:
            delattr(self.owner, self.name)
