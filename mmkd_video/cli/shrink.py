"""The code behind ``tools/shrink.py``: smaller students for a budget of operations."""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.cli.cfg_options import add_cfg_options, read_config
from mmkd_video.cli.shrink_axes import Shape, Shrinkable
from mmkd_video.hooks.atomic_file import write_atomically

STEPS = 6  # halvings of the factor; what they leave of the budget is filled axis by axis
SMALLEST = 1 / 4096
POWERS = {'width': 0.5, 'size': 0.5, 'depth': 1.0, 'frames': 1.0}  # cost grows with the square of width and size


@dataclass(frozen=True)
class Proposal:
    """A smaller student.

    Args:
        name: What was shrunk.
        shape: Its settings.
        params: Number of parameters.
        gflops: Of one forward pass.
    """

    name: str
    shape: Shape
    params: int
    gflops: float


def main(arguments: Sequence[str] | None = None) -> list[Proposal]:
    """Propose as the command line says.

    Returns:
        The proposals, the balanced one first.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        if options.out and Path(options.out).exists() and not options.force:
            raise FileExistsError(f'--out: {options.out} exists; give another name, or --force to overwrite it')
        config = read_config(options.config)
        config.merge_from_dict(options.cfg_options or {})
        student = Shrinkable(config)
        proposals = propose(student, options.gflops)
        print(as_table(student, proposals))
        if options.out:
            chosen = pick(proposals, options.pick)
            write_atomically(student.with_shape(chosen.shape).pretty_text.encode(), Path(options.out))
            print(f'\nwrote {options.out}: {chosen.name}, {chosen.gflops:.4f} GFLOPs')
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, ImportError) as error:
        parser.exit(1, f'error: {error.args[0] if isinstance(error, KeyError) else error}\n')
    return proposals


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='shrink.py',
        description='Propose smaller students for a budget: width, depth, frames and size, one by one and balanced. '
        'All cost about the same; which one is the most accurate, tools/compare.py tells.',
    )
    parser.add_argument('config', help='a plain config, or a distillation, whose student is shrunk')
    parser.add_argument('--gflops', type=float, required=True, help='budget of one forward pass; multiply-add is one')
    parser.add_argument('--out', metavar='FILE.py', help='write the config of the picked proposal')
    parser.add_argument('--pick', default='balanced', help='which proposal --out writes; balanced by default')
    parser.add_argument('--force', action='store_true', help='overwrite the file of --out')
    add_cfg_options(parser)
    return parser


def propose(student: Shrinkable, budget: float) -> list[Proposal]:
    """Find, for each way to shrink, the largest student within a budget; a way that the model cannot go is told.

    Args:
        student: What is shrunk.
        budget: GFLOPs of one forward pass.

    Raises:
        ValueError: The budget is not below what the student costs, or below what any proposal reaches; or the
            operations of the student cannot be counted.
    """
    counted = _Counted(student)
    now = counted(student.shape)[1]
    if not 0 < budget < now:
        raise ValueError(f'--gflops: got {budget:g}; expected less than the {now:.4g} of the given student')
    ways = {'balanced': student.axes, **{axis: (axis,) for axis in student.axes}}
    ways['width and size'] = tuple(axis for axis in ('width', 'size') if axis in student.axes)
    found, refused, smallest = [], {}, now
    for name in track(ways, description='counting'):
        try:
            shape, least = _largest(student, counted, ways[name], budget)
        except ValueError as error:
            refused[name] = error
            continue
        smallest = min(smallest, least)
        found += [Proposal(name, shape, *counted(shape))] if shape else []
    for name, error in refused.items() if found else ():
        print(f'no proposal for {name}: {error}')
    if refused and not found:
        raise next(iter(refused.values()))
    if not found:
        raise ValueError(f'--gflops: got {budget:g}, which no proposal reaches; the smallest costs {smallest:.4g}')
    unique = {proposal.shape: proposal for proposal in reversed(found)}
    return sorted(unique.values(), key=lambda proposal: list(ways).index(proposal.name))


def pick(proposals: Sequence[Proposal], name: str) -> Proposal:
    """Return the proposal of a name.

    Raises:
        KeyError: There is none.
    """
    for proposal in proposals:
        if proposal.name == name:
            return proposal
    raise KeyError(f'--pick: got {name!r}; expected one of {", ".join(each.name for each in proposals)}')


def as_table(student: Shrinkable, proposals: Sequence[Proposal]) -> str:
    """Return the proposals, one a line, under the student as it is."""
    params, gflops = student.cost(student.shape)
    rows = [('', 'width', 'depth', 'frames', 'size', 'params', 'GFLOPs')]
    for each in (Proposal('as it is', student.shape, params, gflops), *proposals):
        shape = each.shape
        numbers = ('-' if value is None else f'{value:g}' for value in (shape.width, shape.depth))
        rows.append(
            (
                each.name,
                *numbers,
                str(shape.frames),
                str(shape.size),
                f'{each.params / 1e6:.2f} M',
                f'{each.gflops:.4f}',
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        '  '.join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    return '\n'.join([lines[0], '-' * len(lines[0]), *lines[1:]])


class _Counted:
    """Costs of shapes, each counted once."""

    def __init__(self, student: Shrinkable) -> None:
        self._student, self._known = student, {}

    def __call__(self, shape: Shape) -> tuple[int, float]:
        if shape not in self._known:
            params, gflops = self._student.cost(shape)
            if gflops is None:
                size = f'{shape.frames} frames of {shape.size} x {shape.size}'
                raise ValueError(f'the operations of this model cannot be counted on {size}')
            self._known[shape] = params, gflops
        return self._known[shape]


def _largest(student: Shrinkable, counted: _Counted, axes: Sequence[str], budget: float) -> tuple[Shape | None, float]:
    """Return the largest shape within the budget whose axes shrink by a common factor, and the smallest cost seen."""
    low, high = math.log(SMALLEST), 0.0
    best = _shape(student, axes, low)
    smallest = counted(best)[1]
    if smallest > budget:
        return None, smallest
    for _ in range(STEPS):
        middle = (low + high) / 2
        shape = _shape(student, axes, middle)
        if counted(shape)[1] <= budget:
            low, best = middle, shape
        else:
            high = middle
    return _filled(student, counted, best, axes, budget), smallest


def _shape(student: Shrinkable, axes: Sequence[str], factor: float) -> Shape:
    return student.rounded({axis: math.exp(factor * POWERS[axis] / len(axes)) for axis in axes})


def _filled(student: Shrinkable, counted: _Counted, shape: Shape, axes: Sequence[str], budget: float) -> Shape:
    """Take back what rounding took too much: the axis that was shrunk most goes up a step, while the budget lasts."""
    open_axes = list(axes)
    while open_axes:
        axis = min(open_axes, key=lambda name: student.share(shape, name))
        larger = student.step_up(shape, axis)
        if larger is None or counted(larger)[1] > budget:
            open_axes.remove(axis)
        else:
            shape = larger
    return shape
