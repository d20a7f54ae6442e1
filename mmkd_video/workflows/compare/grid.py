"""The settings that every arm is tuned over."""

import ast
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmengine.config import Config

from mmkd_video.core.mistakes import WrongValueError

SHIPPED = 'recipe untouched'
MEASURING = ('test_', 'val_')  # keys that begin so decide what is measured
_MISSING = object()


@dataclass(frozen=True)
class Axis:
    """One key of a grid.

    Args:
        key: Dotted path in the config, list items by their number: ``model.terms.0.weight``.
        texts: Values as they were written; ``x0.5`` is half of what the config ships.
        name: Name in labels; the last part of its key by default.
    """

    key: str
    texts: tuple[str, ...]
    name: str = ''

    @classmethod
    def parse(cls, text: str) -> 'Axis':
        """Read ``KEY=V1,V2,...``.

        Raises:
            ValueError: It is written in another way, or the key decides what is measured.
        """
        key, _, values = text.partition('=')
        texts = tuple(each.strip() for each in re.split(r',(?![^\[(]*[\])])', values) if each.strip())
        if not key or not texts:
            raise WrongValueError(
                f'--grid: got {text!r}; expected KEY=V1,V2, such as optim_wrapper.optimizer.lr=x0.5,x2'
            )
        if key.startswith(MEASURING):
            raise WrongValueError(
                f'--grid: got {key!r}; expected a key of the training: this one changes what is measured'
            )
        return cls(key, texts)

    def exists_in(self, config: Config) -> bool:
        """Return whether a config has the key, or at least the dict that it may stand in."""
        parent = self.key.rpartition('.')[0]
        holder = _read(config, parent) if parent else config
        return _has_keys(holder) or _read(config, self.key) is not _MISSING

    def values(self, config: Config) -> list[tuple[str, Any]]:
        """Return the values with their names in labels.

        Args:
            config: Config with the value that factors are relative to.

        Raises:
            ValueError: A factor is given and the config ships no number.
        """
        shipped = _read(config, self.key)
        found = []
        for text in self.texts:
            factor = re.fullmatch(r'x(\d+(\.\d*)?([eE][-+]?\d+)?|\.\d+)', text)
            if factor and (isinstance(shipped, bool) or not isinstance(shipped, (int, float))):
                got = 'nothing' if shipped is _MISSING else repr(shipped)
                raise WrongValueError(
                    f'--grid: got {text!r} for {self.key}, which the config ships as {got}; expected a value, since '
                    'factors are of numbers'
                )
            value = _times(shipped, float(factor[1])) if factor else _literal(text)
            found.append((f'{self.name or self.key.rpartition(".")[2]} {text}', value))
        return found

    def is_shipped(self, config: Config, value: Any) -> bool:
        """Return whether a config ships this value."""
        return _read(config, self.key) == value


@dataclass(frozen=True)
class Point:
    """Settings of one trial.

    Args:
        label: Name of the point in tables.
        settings: Values by dotted key, without those that are shipped; empty for the recipe as shipped.
    """

    label: str = SHIPPED
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_shipped(self) -> bool:
        """Whether this is the recipe as shipped."""
        return not self.settings

    @property
    def slug(self) -> str:
        """Name of the folder for its runs; empty for the recipe as shipped."""
        text = ','.join(f'{key}={self.settings[key]}' for key in sorted(self.settings))
        return re.sub(r'[^\w.,=+-]+', '_', text)

    def applied(self, config: Config) -> Config:
        """Return a config with the settings; the given one stays as it is."""
        changed = Config(config.to_dict(), filename=config.filename)
        changed.merge_from_dict(dict(self.settings))
        return changed

    def without(self, keys: Sequence[str]) -> 'Point':
        """Return the point without some keys, as it is for an arm that does not have them."""
        kept = {key: value for key, value in self.settings.items() if key not in keys}
        names = self.label.split(', ')
        shown = ', '.join(name for name, key in zip(names, self.settings, strict=False) if key in kept)
        return Point(shown if kept else SHIPPED, kept)


def points_of(axes: Sequence[Axis], config: Config) -> list[Point]:
    """Return the points of a grid for one arm: the recipe as shipped first, then every combination once.

    Args:
        axes: Keys and values; those that the config does not have are left out.
        config: Config of the arm.
    """
    points = [Point()]
    held = [axis for axis in axes if axis.exists_in(config)]
    for combination in itertools.product(*(axis.values(config) for axis in held)):
        chosen = [
            (axis.key, label, value)
            for axis, (label, value) in zip(held, combination, strict=True)
            if not axis.is_shipped(config, value)
        ]
        settings = {key: value for key, _, value in chosen}
        if settings not in [point.settings for point in points]:
            points.append(Point(', '.join(label for _, label, _ in chosen), settings))
    return points


def with_distinct_names(axes: Sequence[Axis]) -> list[Axis]:
    """Return axes with distinct short names: the shortest end of each key that no other one has."""
    keys = [axis.key.split('.') for axis in axes]

    def shortest(key: list[str]) -> str:
        ends = (key[-length:] for length in range(1, len(key) + 1))
        unique = (end for end in ends if sum(other[-len(end) :] == end for other in keys) == 1)
        return '.'.join(next(unique, key))

    return [replace(axis, name=shortest(key)) for axis, key in zip(axes, keys, strict=True)]


def check_axes(axes: Sequence[Axis], configs: Mapping[str, Config]) -> None:
    """Check that every key is given once and exists somewhere.

    Raises:
        ValueError: It does not.
    """
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise WrongValueError(f'--grid: {key} is given {keys.count(key)} times; give all its values at once')
    for axis in axes:
        if not any(axis.exists_in(config) for config in configs.values()):
            first = next(iter(configs.values()))
            near = axis.key
            while near and _read(first, near) is _MISSING:
                near = near.rpartition('.')[0]
            holder = _read(first, near) if near else first._cfg_dict
            names = holder if isinstance(holder, Mapping) else range(len(holder)) if isinstance(holder, list) else ()
            raise WrongValueError(
                f'--grid: got {axis.key!r}, which no config has; {near or "the config"} holds '
                f'{", ".join(map(str, names)) or repr(holder)}'
            )


def _has_keys(value: Any) -> bool:
    return isinstance(value, (Mapping, Config))


def _read(config: Any, key: str) -> Any:
    value = config
    for part in key.split('.'):
        if _has_keys(value):
            value = value.get(part, _MISSING)
        elif isinstance(value, (list, tuple)) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
        if value is _MISSING:
            return _MISSING
    return value


def _times(shipped: float, factor: float) -> float | int:
    value = float(f'{shipped * factor:.12g}')  # 0.03 * 0.1 is 0.003, not 0.0029999999999999996
    return int(value) if isinstance(shipped, int) and math.isclose(value, int(value)) else value


def _literal(text: str) -> Any:
    try:
        return (
            {'true': True, 'false': False, 'none': None}.get(text.lower(), _MISSING)
            if (text.lower() in ('true', 'false', 'none'))
            else ast.literal_eval(text)
        )
    except (ValueError, SyntaxError):
        return text
