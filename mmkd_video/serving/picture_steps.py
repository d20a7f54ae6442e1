"""What a file may ask to be done with each picture: a closed list, built here and nowhere looked up."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmaction.datasets.transforms import CenterCrop, Resize, TenCrop, ThreeCrop

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.plain_data import FLAG, Number, OneOf, Rule, Whole, wrong

LARGEST_SIDE = 8192  # pixels of a side
_INTERPOLATIONS = ('nearest', 'bilinear', 'bicubic', 'area', 'lanczos')


class _Side:
    """Pixels: one number, or one for width and height."""

    def check(self, value: Any, where: str) -> None:
        sides = value if isinstance(value, list | tuple) and len(value) == 2 else [value]
        for side in sides:
            Whole(1, LARGEST_SIDE).check(side, where)


class _Scale:
    """A factor, or the two sides of which one may be -1 or infinite: as long as it comes."""

    def check(self, value: Any, where: str) -> None:
        if type(value) is float:
            Number(1 / 64, 16).check(value, where)
            return
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise wrong(where, value, 'a factor with a decimal point, or two sides')
        bound = [side for side in value if side not in (-1, math.inf)]
        for side in bound or value:
            Whole(1, LARGEST_SIDE).check(side, where)


@dataclass(frozen=True)
class _Step:
    make: Callable
    needed: Mapping[str, Rule]
    optional: Mapping[str, Rule]


_NOW = OneOf((False,))  # lazy: what is put off is done by a transform that a stream does not have
_CROP = {'crop_size': _Side()}
STEPS = {
    'Resize': _Step(
        Resize, {'scale': _Scale()}, {'keep_ratio': FLAG, 'interpolation': OneOf(_INTERPOLATIONS), 'lazy': _NOW}
    ),
    'CenterCrop': _Step(CenterCrop, _CROP, {'lazy': _NOW}),
    'ThreeCrop': _Step(ThreeCrop, _CROP, {}),
    'TenCrop': _Step(TenCrop, _CROP, {}),
}
"""By MMAction2's name: what is built and the arguments that it may have."""


def build_steps(steps: Sequence[Mapping[str, Any]], path: object) -> list[Callable]:
    """Build the transforms that a file names, if all are on the list with arguments that they may have.

    Args:
        steps: Steps between decoding and formatting, as the file has them.
        path: Path of the file, for the message.

    Raises:
        ValueError: One is not on the list, or has another argument or value.
    """
    return [_build(step, f'{path}: pipeline') for step in steps]


def _build(given: Mapping[str, Any], where: str) -> Callable:
    arguments = dict(given)
    named = arguments.pop('type', None)
    kind = named.removeprefix('mmaction.') if isinstance(named, str) else None
    if kind not in STEPS:
        raise WrongValueError(
            f'{where}: transform {str(named)[:60]!r} cannot be done picture by picture; expected {", ".join(STEPS)}'
        )
    step, known = STEPS[kind], {**STEPS[kind].needed, **STEPS[kind].optional}
    for name, value in arguments.items():
        if name not in known:
            raise WrongValueError(
                f'{where}: {kind} has no argument {str(name)[:60]!r} here; expected {", ".join(known)}'
            )
        known[name].check(value, f'{where}: {kind}.{name}')
    for name in step.needed:
        if name not in arguments:
            raise WrongValueError(f'{where}: {kind} lacks {name!r}; expected {", ".join(known)}')
    # JSON makes lists of tuples, and Resize takes no list
    return step.make(**{name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()})
