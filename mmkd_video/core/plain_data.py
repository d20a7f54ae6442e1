"""Rules for the content of files, checked before anything is built from it.

Each rule has ``check(value, where)``, which raises a ``ValueError`` that names the place, what was got and what was
expected. Nothing here looks anything up by name.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from mmkd_video.core.mistakes import WrongValueError

MAX_DEPTH = 20
SHOWN = 60


class Rule(Protocol):
    """A rule that a value must keep."""

    def check(self, value: Any, where: str) -> None:
        """Raise ``ValueError`` for any other value."""


@dataclass(frozen=True)
class Text:
    """Text of a limited length, of a pattern if there is one."""

    longest: int
    pattern: str | None = None

    def check(self, value: Any, where: str) -> None:
        """See :class:`Rule`."""
        if not isinstance(value, str) or len(value) > self.longest:
            raise wrong(where, value, f'text of at most {self.longest} characters')
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            raise wrong(where, value, f'text of the form {self.pattern}')


@dataclass(frozen=True)
class Whole:
    """A whole number; True and False are none."""

    least: int
    most: int

    def check(self, value: Any, where: str) -> None:
        """See :class:`Rule`."""
        if type(value) is not int or not self.least <= value <= self.most:
            raise wrong(where, value, f'a whole number of {self.least} to {self.most}')


@dataclass(frozen=True)
class Number:
    """A finite number; True and False are none."""

    least: float
    most: float

    def check(self, value: Any, where: str) -> None:
        """See :class:`Rule`."""
        if type(value) not in (int, float) or not self.least <= value <= self.most:
            raise wrong(where, value, f'a number of {self.least:g} to {self.most:g}')


@dataclass(frozen=True)
class OneOf:
    """One of some values."""

    values: tuple

    def check(self, value: Any, where: str) -> None:
        """See :class:`Rule`."""
        if not any(type(value) is type(each) and value == each for each in self.values):
            raise wrong(where, value, f'one of {", ".join(map(repr, self.values))}')


@dataclass(frozen=True)
class Maybe:
    """Any value that another rule allows, or None."""

    rule: Rule

    def check(self, value: Any, where: str) -> None:
        """See :class:`Rule`."""
        if value is not None:
            self.rule.check(value, where)


@dataclass(frozen=True)
class Many:
    """A list of limited length, each item by one rule."""

    rule: Rule
    most: int
    fewest: int = 0

    def check(self, value: Any, where: str) -> None:
        """See :class:`Rule`."""
        if not isinstance(value, list | tuple) or not self.fewest <= len(value) <= self.most:
            raise wrong(where, value, f'a list of {self.fewest} to {self.most} items')
        for index, item in enumerate(value):
            self.rule.check(item, f'{where}[{index}]')


@dataclass(frozen=True)
class Record:
    """A dict of known keys."""

    needed: Mapping[str, Rule] = field(default_factory=dict)
    optional: Mapping[str, Rule] = field(default_factory=dict)

    def check(self, value: Any, where: str) -> None:
        """See :class:`Rule`."""
        known = {**self.needed, **self.optional}
        if not isinstance(value, dict):
            raise wrong(where, value, f'a dict of {", ".join(known)}')
        for key in value:
            if key not in known:
                raise WrongValueError(f'{where}: unknown key {str(key)[:SHOWN]!r}; expected {", ".join(known)}')
        for key, rule in known.items():
            if key in value:
                rule.check(value[key], f'{where}.{key}')
            elif key in self.needed:
                raise WrongValueError(f'{where}: the key {key!r} is missing; expected {", ".join(self.needed)}')


@dataclass(frozen=True)
class Table:
    """A dict of any keys, each value by one rule."""

    rule: Rule
    most: int
    longest_key: int = 300
    key_pattern: str = '.*'

    def check(self, value: Any, where: str) -> None:
        """See :class:`Rule`."""
        if not isinstance(value, dict) or len(value) > self.most:
            raise wrong(where, value, f'a dict of at most {self.most} keys')
        for key, item in value.items():
            if not isinstance(key, str) or len(key) > self.longest_key:
                raise wrong(where, key, f'keys of at most {self.longest_key} characters')
            if not re.fullmatch(self.key_pattern, key, re.DOTALL):
                raise wrong(where, key, f'keys of the form {self.key_pattern}')
            self.rule.check(item, f'{where}.{key[:SHOWN]}')


@dataclass(frozen=True)
class Anything:
    """Plain data of limited size, in which nothing is looked up."""

    items: int = 10_000
    depth: int = MAX_DEPTH

    def check(self, value: Any, where: str) -> None:
        """See :class:`Rule`."""
        level, count = [value], 0
        for _ in range(self.depth):
            inner: list[Any] = []
            for item in level:
                if isinstance(item, dict):
                    inner += [*item, *item.values()]
                elif isinstance(item, list | tuple):
                    inner += item
                elif item is not None and type(item) not in (str, int, float, bool):
                    raise wrong(where, item, 'numbers, text, lists and dicts')
            count += len(inner)
            if count > self.items:
                raise WrongValueError(f'{where}: more than {self.items} items; expected fewer')
            if not inner:
                return
            level = inner
        raise WrongValueError(f'{where}: nested more than {self.depth} deep; expected less')


FLAG = OneOf((True, False))


def read_json(text: str | bytes, rule: Rule, where: str, longest: int = 1 << 24) -> Any:
    """Read JSON and check it.

    Args:
        text: The JSON text.
        rule: Rule that the value must keep.
        where: Beginning of the error, usually the name of the file.
        longest: Most characters or bytes that are read at all.

    Raises:
        ValueError: It is too long, no JSON, or not what the rule asks for.
    """
    if not isinstance(text, str | bytes) or len(text) > longest:
        found = len(text) if isinstance(text, str | bytes) else type(text).__name__
        raise WrongValueError(f'{where}: got {found}, expected JSON text of at most {longest} characters')
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongValueError(f'{where}: not JSON ({str(error)[:SHOWN]}); got {text[:SHOWN]!r}') from None
    Anything(items=longest).check(value, where)
    rule.check(value, where)
    return value


def wrong(where: str, got: Any, expected: str) -> ValueError:
    """Return the error for a value that is not what it should be.

    Args:
        where: Place and key.
        got: The value.
        expected: Description of what is expected.
    """
    shown = type(got).__name__
    if isinstance(got, int) and got.bit_length() > 200:
        shown = f'a number of {got.bit_length()} bits'
    elif isinstance(got, int | float | str | None):
        shown = repr(got)
    if isinstance(got, float) and not math.isfinite(got):
        expected = f'{expected}, finite'
    return WrongValueError(
        f'{where}: got {shown if len(shown) <= SHOWN else shown[:SHOWN] + "..."}, expected {expected}'
    )
