"""One colour and one shape for each arm, everywhere on the page and in all pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from mmkd_video.workflows.compare.arms import ALONE, AS_LONG, DISTILLED

TEACHER = 'teacher'
INK = 'ink'
# key: (on white, on black); blue, vermilion and those between stay apart for all eyes, and have shapes beside
COLORS = {
    'teacher': ('#555555', '#b8b8b8'),
    'alone': ('#2f6bb0', '#7db1f0'),
    'as-long': ('#08717b', '#5cc8d6'),
    'distilled': ('#c8401a', '#ff8f6b'),
    'distilled-1': ('#1b7a2f', '#6cc283'),
    'distilled-2': ('#8a6a00', '#d8b84a'),
    'distilled-3': ('#882266', '#e08cc4'),
    'distilled-4': ('#4a3a9a', '#a79bf0'),
    'ink': ('#444444', '#c0c0c0'),
}
SHAPES = {
    'teacher': 'triangle',
    'alone': 'circle',
    'as-long': 'square',
    'distilled': 'diamond',
    'distilled-1': 'down',
    'distilled-2': 'plus',
    'distilled-3': 'cross',
    'distilled-4': 'square',
}
_DISTILLED = [key for key in COLORS if key.startswith('distilled')]


@dataclass(frozen=True)
class Arm:
    """An arm as it is shown.

    Args:
        name: Its name.
        kind: ``ALONE``, ``DISTILLED`` or ``AS_LONG``, or ``TEACHER``.
        look: Key of its colour and shape.
    """

    name: str
    kind: str
    look: str

    @property
    def shape(self) -> str:
        """Shape of its dots."""
        return SHAPES[self.look]

    @property
    def short(self) -> str:
        """Its name beside others."""
        return 'alone' if self.name == ALONE else self.name.removeprefix('student ')


def arms_of(named: Sequence[tuple[str, str]]) -> list[Arm]:
    """Return arms with their looks: the student alone first, then those that are distilled.

    Args:
        named: Name and kind of each arm, in any order; what occurs twice is taken once.
    """
    order = [ALONE, AS_LONG, DISTILLED]
    unique = sorted(dict.fromkeys(named), key=lambda each: (order.index(each[1]), each[0] != DISTILLED))
    plain = [each for each in unique if each[1] != DISTILLED]
    taught = [each for each in unique if each[1] == DISTILLED]
    spare = [key for key in ('alone', 'as-long', *reversed(_DISTILLED)) if key not in _DISTILLED[: len(taught)]]
    found = [Arm(name, kind, spare[index % len(spare)]) for index, (name, kind) in enumerate(plain)]
    found = [Arm(each.name, each.kind, 'as-long') if each.kind == AS_LONG else each for each in found]
    return found + [Arm(*each, _DISTILLED[index % len(_DISTILLED)]) for index, each in enumerate(taught)]
