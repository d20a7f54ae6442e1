"""Kinds of values that settings take. Every message has one form: the key, the value, what is expected, what to do."""

import difflib
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from mmkd_video.core.mistakes import WrongValueError

LARGEST = 1e12  # of any number: what is larger is a slip, and soon overflows float32
LARGEST_WHOLE = 2**31 - 1
SHOWN = 80  # characters of a value in a message


def short_repr(value: Any) -> str:
    """Return a value as messages show it: as it would be written in a config, cut off if it is long."""
    text = repr(value).replace('\n', ' ')
    return text if len(text) <= SHOWN else f'{text[:SHOWN]}...'


def invalid_setting(where: str, value: Any, expected: str, remedy: str = '') -> ValueError:
    """Return the error for an invalid setting.

    Args:
        where: The key, dotted.
        value: The value that was given.
        expected: Description of what is expected.
        remedy: Advice on what to do, where that does not follow.
    """
    return WrongValueError(f'{where}: got {short_repr(value)}; expected {expected}{f"; {remedy}" if remedy else ""}')


def did_you_mean(name: Any, known: Sequence[str]) -> str:
    """Return ``did you mean ...?`` for a name that is close to a known one, else nothing."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f'did you mean {close[0]!r}?' if close else ''


class Kind(ABC):
    """A kind of values that a setting may take."""

    remedy = ''

    @property
    @abstractmethod
    def expected(self) -> str:
        """Description of the expected values, which messages show after the word ``expected``."""

    @abstractmethod
    def accepts(self, value: Any) -> bool:
        """Return whether a value is valid."""

    def check(self, where: str, value: Any) -> None:
        """Check that a value is valid.

        Args:
            where: The key, dotted.
            value: The value that was given.

        Raises:
            ValueError: Names the key, what was got, what is expected and what to do.
        """
        if not self.accepts(value):
            raise invalid_setting(where, value, self.expected, self.hint(value))

    def hint(self, value: Any) -> str:
        """Return what to do about a wrong value."""
        return self.remedy


@dataclass(frozen=True)
class Number(Kind):
    """A finite number in a range.

    Args:
        least: Lower bound; negative numbers are taken where there is none.
        most: Upper bound.
        above: The lower bound itself is out of range.
        below: The upper bound itself is out of range.
    """

    least: float = -LARGEST
    most: float = LARGEST
    above: bool = False
    below: bool = False

    whole = False

    @property
    def expected(self) -> str:
        """See :attr:`Kind.expected`."""
        parts = []
        if self.least > -LARGEST:
            parts.append(f'{"above" if self.above else "of at least"} {self.least:g}')
        if self.most < (LARGEST_WHOLE if self.whole else LARGEST):
            parts.append(f'{"below" if self.below else "of at most"} {self.most:g}')
        return ' '.join(['a whole number' if self.whole else 'a number', ' and '.join(parts)]).strip()

    def accepts(self, value: Any) -> bool:
        """See :meth:`Kind.accepts`."""
        if isinstance(value, bool) or not isinstance(value, Integral if self.whole else Real):
            return False
        if not self.whole and not math.isfinite(value):
            return False
        lower = value > self.least if self.above else value >= self.least
        return lower and (value < self.most if self.below else value <= self.most)

    def hint(self, value: Any) -> str:
        """See :meth:`Kind.hint`."""
        stated = f'{self.most:g}' in self.expected
        too_large = isinstance(value, Real) and not isinstance(value, bool) and value > self.most and not stated
        return f'nothing may be larger than {self.most:g}' if too_large else self.remedy


@dataclass(frozen=True)
class Whole(Number):
    """A whole number in a range."""

    most: float = LARGEST_WHOLE

    whole = True


def Fraction() -> Number:  # noqa: N802  reads like the other kinds
    """Return the kind of a number above 0 and below 1."""
    return Number(0, 1, above=True, below=True)


@dataclass(frozen=True)
class Flag(Kind):
    """True or False."""

    expected = 'True or False'

    def accepts(self, value: Any) -> bool:
        """See :meth:`Kind.accepts`."""
        return isinstance(value, bool)


@dataclass(frozen=True)
class Text(Kind):
    """Text that is not empty.

    Args:
        meaning: Description of the text, such as ``'the path of a config'``.
        remedy: Advice on what to do.
    """

    meaning: str = 'text'
    remedy: str = ''

    @property
    def expected(self) -> str:
        """See :attr:`Kind.expected`."""
        return self.meaning

    def accepts(self, value: Any) -> bool:
        """See :meth:`Kind.accepts`."""
        return isinstance(value, str | os.PathLike) and bool(str(value).strip())


@dataclass(frozen=True)
class Class(Kind):
    """A class or a function, in a config that is written as Python."""

    expected = 'a class'

    def accepts(self, value: Any) -> bool:
        """See :meth:`Kind.accepts`."""
        return callable(value)


@dataclass(frozen=True)
class Instance(Kind):
    """An object of a class, in a program.

    Args:
        of: The class.
    """

    of: type

    @property
    def expected(self) -> str:
        """See :attr:`Kind.expected`."""
        return f'a {self.of.__name__}'

    def accepts(self, value: Any) -> bool:
        """See :meth:`Kind.accepts`."""
        return isinstance(value, self.of)


@dataclass(frozen=True)
class OneOf(Kind):
    """One of some values.

    Args:
        values: All of them.
    """

    values: tuple

    def __init__(self, *values: Any) -> None:
        object.__setattr__(self, 'values', values)

    @property
    def expected(self) -> str:
        """See :attr:`Kind.expected`."""
        listed = [repr(value) for value in self.values]
        return ' or '.join([', '.join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)

    def accepts(self, value: Any) -> bool:
        """See :meth:`Kind.accepts`."""
        return any(type(value) is type(each) and value == each for each in self.values)

    def hint(self, value: Any) -> str:
        """See :meth:`Kind.hint`."""
        return did_you_mean(value, [each for each in self.values if isinstance(each, str)])


@dataclass(frozen=True)
class Settings(Kind):
    """A dict.

    Args:
        example: Example of such a dict.
        needs: Keys that it must have.
        remedy: Advice on what to do.
    """

    example: str = 'a dict'
    needs: tuple[str, ...] = ()
    remedy: str = ''

    @property
    def expected(self) -> str:
        """See :attr:`Kind.expected`."""
        return self.example

    def accepts(self, value: Any) -> bool:
        """See :meth:`Kind.accepts`; MMEngine's ``Config`` is no Mapping, but answers as one."""
        is_dict = isinstance(value, Mapping) or (hasattr(value, 'to_dict') and hasattr(value, 'get'))
        return is_dict and all(key in value for key in self.needs)


@dataclass(frozen=True)
class ListOf(Kind):
    """A list or a tuple.

    Args:
        item: Kind of each item.
        least: Fewest items.
        length: Number of items; any by default.
        example: Description of such a list.
    """

    item: Kind
    least: int = 0
    length: int | None = None
    example: str = ''

    @property
    def expected(self) -> str:
        """See :attr:`Kind.expected`."""
        if self.example:
            return self.example
        count = f' of {self.length} items' if self.length is not None else ''
        few = f' of at least {self.least}' if self.least else ''
        return f'a list{count}{few}, each {self.item.expected}'

    def accepts(self, value: Any) -> bool:
        """See :meth:`Kind.accepts`."""
        return self._is_list(value) and all(map(self.item.accepts, value))

    def check(self, where: str, value: Any) -> None:
        """See :meth:`Kind.check`; a wrong item is named by its place."""
        if not self._is_list(value) or self.example:
            super().check(where, value)
        else:
            for index, item in enumerate(value):
                self.item.check(f'{where}[{index}]', item)

    def _is_list(self, value: Any) -> bool:
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
            return False
        return len(value) >= self.least and self.length in (None, len(value))


@dataclass(frozen=True)
class AnyOf(Kind):
    """One of several kinds.

    Args:
        kinds: All of them.
    """

    kinds: tuple[Kind, ...]

    def __init__(self, *kinds: Kind) -> None:
        object.__setattr__(self, 'kinds', kinds)

    @property
    def expected(self) -> str:
        """See :attr:`Kind.expected`."""
        return ' or '.join(kind.expected for kind in self.kinds)

    def accepts(self, value: Any) -> bool:
        """See :meth:`Kind.accepts`."""
        return any(kind.accepts(value) for kind in self.kinds)

    def hint(self, value: Any) -> str:
        """See :meth:`Kind.hint`."""
        return next((hint for kind in self.kinds if (hint := kind.hint(value))), '')


@dataclass(frozen=True)
class Nothing(Kind):
    """None.

    Args:
        meaning: Meaning of None.
    """

    meaning: str = ''

    @property
    def expected(self) -> str:
        """See :attr:`Kind.expected`."""
        return f'None ({self.meaning})' if self.meaning else 'None'

    def accepts(self, value: Any) -> bool:
        """See :meth:`Kind.accepts`."""
        return value is None


def Optional(kind: Kind, meaning: str = '') -> AnyOf:  # noqa: N802  reads like the other kinds
    """Return the kind of a setting that may be None.

    Args:
        kind: Kind of all other values.
        meaning: Meaning of None.
    """
    return AnyOf(kind, Nothing(meaning))


@dataclass(frozen=True)
class Anything(Kind):
    """Any value, as it is checked where it is used.

    Args:
        reason: The place where it is checked, or why it needs no check.
    """

    reason: str

    expected = 'anything'

    def accepts(self, value: Any) -> bool:
        """See :meth:`Kind.accepts`."""
        return True


SCHEDULE = Settings("a schedule such as dict(type='Linear', end=10)", needs=('type',))


def Scheduled(kind: Number) -> AnyOf:  # noqa: N802  reads like the other kinds
    """Return the kind of a number that may be a schedule, whose own keys are checked when it is built."""
    return AnyOf(kind, SCHEDULE)
