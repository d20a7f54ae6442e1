"""The table of all settings: the kind of value that each key of each part of a config takes."""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmkd_video.core.checked.kinds import (
    AnyOf,
    Anything,
    Class,
    Flag,
    Kind,
    ListOf,
    Nothing,
    Number,
    OneOf,
    Settings,
    Text,
    Whole,
    did_you_mean,
    short_repr,
)
from mmkd_video.core.mistakes import WrongKeyError, WrongTypeError, WrongValueError

PLAIN = {bool: Flag(), int: Whole(), float: Number(), str: Text(), Path: Text(), type: Class(), dict: Settings()}


@dataclass(frozen=True)
class Keys:
    """The settings of one part of a config.

    Args:
        name: Name of the part, as messages call it.
        kinds: Kind of value that each key takes.
        required: Keys that must be given.
        more: Whether further keys belong to others, who check them.
    """

    name: str
    kinds: Mapping[str, Kind]
    required: Collection[str] = field(default=())
    more: bool = False

    def check(self, where: str, values: Mapping[str, Any], filled_in: Collection[str] = ()) -> None:
        """Check that all keys are known and all values are valid.

        Args:
            where: Dotted name of the part that holds them.
            values: Values by key.
            filled_in: Required keys that others add.

        Raises:
            KeyError: An unknown key.
            ValueError: An invalid value, or a key that is missing.
        """
        for key, value in values.items():
            if key in self.kinds:
                self.kinds[key].check(f'{where}.{key}', value)
            elif not self.more:
                raise WrongKeyError(self.unknown(where, key))
        for key in self.required:
            if key not in values and key not in filled_in:
                raise WrongValueError(
                    f'{where}.{key}: got nothing; expected {self.kinds[key].expected}; it must be given'
                )

    def unknown(self, where: str, key: str) -> str:
        """Return the error message for an unknown key.

        Args:
            where: Dotted name of the part that holds it.
            key: The key as it was given.
        """
        hint = did_you_mean(key, list(self.kinds))
        expected = ', '.join(self.kinds)
        return f'{where}: got the unknown key {short_repr(key)}; expected {expected}; {hint or "take it out"}'


TABLE: dict[str, Keys] = {}
"""All parts whose settings are checked, by name."""
_CHECKED: dict[Callable, Keys] = {}


def table_of(name: str, kinds: Mapping[str, Kind], required: Collection[str] = (), more: bool = False) -> Keys:
    """Add a part of configs that is a plain dict to the table.

    Args:
        name: Name of the part.
        kinds: Kind of value that each key takes.
        required: Keys that must be given.
        more: Whether further keys belong to others, who check them.
    """
    TABLE[name] = Keys(name, kinds, required, more)
    return TABLE[name]


def checked(further: Callable | None = None, **kinds: Kind) -> Callable:
    """Let a class or a function check its arguments whenever it is called, and add them to the table.

    The kind of an argument follows from its annotation, unless it is given.

    Args:
        further: Class or function that takes all further keywords, and checks them.
        **kinds: Kinds of arguments whose annotation says less.
    """

    def decorate(target: Callable) -> Callable:
        keys = keys_of(target, kinds, further)
        if inspect.isclass(target):
            target.__init__ = _checking(target.__init__, keys, bound=True)
            found = target
        else:
            found = _checking(target, keys, bound=False)
        TABLE[keys.name] = _CHECKED[found] = keys
        return found

    return decorate


def keys_of(target: Callable, given: Mapping[str, Kind] | None = None, further: Callable | None = None) -> Keys:
    """Return the kind of each argument of a class or a function.

    Args:
        target: The class or function.
        given: Kinds of arguments whose annotation says less.
        further: Class or function that takes all further keywords.
    """
    if target in _CHECKED:
        return _CHECKED[target]
    given = given or {}
    kinds, required, more = {}, [], False
    call = target.__init__ if inspect.isclass(target) else target
    hints = _hints(call)
    for name, parameter in list(inspect.signature(target).parameters.items()):
        if parameter.kind is parameter.VAR_KEYWORD:
            more = True
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        kinds[name] = given.get(name) or kind_of(hints.get(name, Any))
        if parameter.default is parameter.empty:
            required.append(name)
    if more:
        kinds, more = _inherited(target, further, kinds)
    unknown = set(given) - set(kinds)
    if unknown:
        raise WrongTypeError(f'{target.__qualname__} has no {sorted(unknown)}')
    return Keys(target.__name__, kinds, required, more)


def kind_of(annotation: Any) -> Kind:
    """Return the kind of value that an annotation allows."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in PLAIN:
        return PLAIN[annotation]
    if annotation in (None, types.NoneType):
        return Nothing()
    if origin is typing.Literal:
        return OneOf(*inner)
    if origin in (typing.Union, types.UnionType):
        return AnyOf(*(kind_of(each) for each in inner))
    base = origin or annotation
    if inspect.isclass(base) and issubclass(base, Mapping):
        return Settings()
    if inspect.isclass(base) and issubclass(base, Sequence):
        items = [each for each in inner if each is not Ellipsis]
        return ListOf(kind_of(items[0]) if items else Anything('no items are given'))
    return Anything('its annotation says nothing')


def _hints(call: Callable) -> dict[str, Any]:
    try:
        return typing.get_type_hints(call)
    except (NameError, TypeError):  # a class of a user that names what only type checkers import
        return {}


def _inherited(target: Callable, further: Callable | None, kinds: dict[str, Kind]) -> tuple[dict[str, Kind], bool]:
    """Add the keys of what takes further keywords: the given function, or the next of our classes in the MRO."""
    bases = target.__mro__[1:] if inspect.isclass(target) else ()
    known = [_CHECKED[each] for each in ([further] if further else bases) if each in _CHECKED]
    for keys in known[:1]:
        kinds = {**keys.kinds, **kinds}
    return kinds, known[0].more if known else True


def _checking(call: Callable, keys: Keys, bound: bool) -> Callable:
    signature = inspect.signature(call)
    positional = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = [name for name, each in signature.parameters.items() if each.kind in positional]

    @functools.wraps(call)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        given = dict(zip(names, arguments, strict=False))
        owner = type(given.pop(names[0])).__name__ if bound else keys.name
        keys.check(owner, {**given, **named})
        return call(*arguments, **named)

    return wrapper
