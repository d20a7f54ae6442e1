"""The largest students within a budget of operations, for each way to shrink one."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.text_table import aligned
from mmkd_video.workflows.shrink.axes import Shape, Shrinkable
from mmkd_video.workflows.shrink.progress import CountingProgress

HALVINGS = 6  # of the factor; what they leave of the budget is filled axis by axis
SMALLEST_FACTOR = 1 / 4096
AIMS = 4  # tries to be within the budget, each below the one before
COUNTS_PER_WAY = 14  # about
WEIGHT_AXES = ('width', 'depth')  # the axes that make parameters; the others make clips
POWERS = {'width': 0.5, 'size': 0.5, 'depth': 1.0, 'frames': 1.0}  # cost grows with the square of width and size


@dataclass(frozen=True)
class Proposal:
    """A smaller student.

    Args:
        name: Name of what was shrunk.
        shape: Settings that make its cost.
        params: Number of parameters.
        gflops: GFLOPs of one forward pass.
    """

    name: str
    shape: Shape
    params: int
    gflops: float


def propose(student: Shrinkable, budget: float) -> list[Proposal]:
    """Find, for each way to shrink, the largest student within a budget; a way that the model does not have is named.

    Args:
        student: Student that is shrunk.
        budget: Most GFLOPs of one forward pass.

    Raises:
        ValueError: The budget is not below what the student costs, or below what any proposal reaches; or the
            operations of the student cannot be counted.
    """
    ways = {'balanced': student.axes, **{axis: (axis,) for axis in student.axes}}
    ways['width and size'] = tuple(axis for axis in ('width', 'size') if axis in student.axes)
    with CountingProgress(len(ways) * COUNTS_PER_WAY) as counting:
        counted = _Counted(student, counting)
        now = counted.exact(student.shape)[1]
        if not 0 < budget < now:
            raise WrongValueError(f'--gflops: got {budget:g}; expected less than the {now:.4g} of the given student')
        found, refused, smallest = [], {}, now
        for done, name in enumerate(ways):
            counting.begin(name, done * COUNTS_PER_WAY)
            try:
                shape, least = _fitting(student, counted, name, ways[name], budget)
            except ValueError as error:
                refused[name] = error
                continue
            smallest = min(smallest, least)
            found += [Proposal(name, shape, *counted.exact(shape))] if shape else []
    for name, error in refused.items() if found else ():
        print(f'no proposal for {name}: {error}')
    if refused and not found:
        raise next(iter(refused.values()))
    if not found:
        raise WrongValueError(f'--gflops: got {budget:g}, which no proposal reaches; the smallest costs {smallest:.4g}')
    unique = {proposal.shape: proposal for proposal in reversed(found)}
    return sorted(unique.values(), key=lambda proposal: list(ways).index(proposal.name))


def pick(proposals: Sequence[Proposal], name: str) -> Proposal:
    """Return the proposal of a name.

    Args:
        proposals: Proposals of :func:`propose`.
        name: Name of one.

    Raises:
        KeyError: There is none.
    """
    for proposal in proposals:
        if proposal.name == name:
            return proposal
    raise WrongKeyError(f'--pick: got {name!r}; expected one of {", ".join(each.name for each in proposals)}')


def as_table(student: Shrinkable, proposals: Sequence[Proposal]) -> str:
    """Return the proposals, one a line, under the student as it is.

    Args:
        student: Student that is shrunk.
        proposals: Proposals of :func:`propose`.
    """
    params, gflops = student.cost(student.shape)
    rows = [('', 'width', 'depth', 'frames', 'size', 'params', 'GFLOPs')]
    for each in (Proposal('as it is', student.shape, params, gflops), *proposals):
        shape = each.shape
        numbers = ('-' if value is None else f'{value:g}' for value in (shape.width, shape.depth))
        clip = str(shape.frames), str(shape.size)
        rows.append((each.name, *numbers, *clip, f'{each.params / 1e6:.2f} M', f'{each.gflops:.4f}'))
    return '\n'.join(aligned(rows))


class _Counted:
    """Costs of shapes, each counted once: about, while shapes are looked for, and exactly, before one is proposed."""

    def __init__(self, student: Shrinkable, counting: CountingProgress) -> None:
        self._student, self._counting = student, counting
        self._estimates: dict[Shape, tuple[int, float]] = {}
        self._exact: dict[Shape, tuple[int, float]] = {}

    def __call__(self, shape: Shape) -> tuple[int, float]:
        """Return parameters, and about how many GFLOPs."""
        whole = self._student.shape
        return self._kept(self._estimates, shape, self._student.estimate, self.exact(whole)[1] / self._estimated(whole))

    def exact(self, shape: Shape) -> tuple[int, float]:
        """Return parameters and GFLOPs."""
        return self._kept(self._exact, shape, self._student.cost, 1.0)

    def _estimated(self, shape: Shape) -> float:
        return self._kept(self._estimates, shape, self._student.estimate, 1.0)[1]

    def _kept(self, known: dict, shape: Shape, count: Callable[[Shape], tuple], factor: float) -> tuple[int, float]:
        if shape not in known:
            known[shape] = count(shape)
            self._counting.step()
        params, gflops = known[shape]
        if gflops is None:
            size = f'{shape.frames} frames of {shape.size} x {shape.size}'
            raise WrongValueError(f'the operations of this model cannot be counted on {size}')
        return params, gflops * factor


def _fitting(
    student: Shrinkable, counted: _Counted, name: str, axes: Sequence[str], budget: float
) -> tuple[Shape | None, float]:
    """Return the largest shape on the way that is within the budget, exactly counted, and the smallest cost seen."""
    look = _balanced if name == 'balanced' and set(axes) - set(WEIGHT_AXES) else _largest
    aim = budget
    for _ in range(AIMS):
        shape, smallest = look(student, counted, axes, aim)
        if shape is None or counted.exact(shape)[1] <= budget:
            return shape, smallest
        aim *= 0.995 * budget / counted.exact(shape)[1]  # the estimate was too low
    return None, smallest


def _largest(student: Shrinkable, counted: _Counted, axes: Sequence[str], budget: float) -> tuple[Shape | None, float]:
    """Return the largest shape within the budget whose axes shrink by a common factor, and the smallest cost seen."""
    return _search(student, counted, axes, budget, student.shape)


def _balanced(student: Shrinkable, counted: _Counted, axes: Sequence[str], budget: float) -> tuple[Shape | None, float]:
    """Let width and depth take their share of the saving, in parameters too, and frames and size the rest."""
    weights = [axis for axis in axes if axis in WEIGHT_AXES]
    clip = [axis for axis in axes if axis not in WEIGHT_AXES]
    start = student.shape
    if weights:
        share = (budget / counted(start)[1]) ** (len(weights) / len(axes))
        most = share * counted(start)[0]
        narrow, _ = _search(student, counted, weights, most, start, measure=0)
        start = narrow or _shape(student, weights, math.log(SMALLEST_FACTOR), start)
    shape, smallest = _search(student, counted, clip, budget, start)
    if shape is None:  # frames and size alone do not do the rest
        return _largest(student, counted, axes, budget)
    return shape, smallest


def _search(
    student: Shrinkable, counted: _Counted, axes: Sequence[str], most: float, start: Shape, measure: int = 1
) -> tuple[Shape | None, float]:
    """Shrink axes of a shape by a common factor, as little as will do; ``measure``: 0 for parameters, 1 for GFLOPs."""
    low, high = math.log(SMALLEST_FACTOR), 0.0
    best = _shape(student, axes, low, start)
    smallest = counted(best)[measure]
    if smallest > most:
        return None, smallest
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        shape = _shape(student, axes, middle, start)
        if counted(shape)[measure] <= most:
            low, best = middle, shape
        else:
            high = middle
    return _filled(student, counted, best, axes, most, measure), smallest


def _shape(student: Shrinkable, axes: Sequence[str], factor: float, start: Shape) -> Shape:
    rounded = student.rounded({axis: math.exp(factor * POWERS[axis] / len(axes)) for axis in axes})
    return replace(start, **{axis: getattr(rounded, axis) for axis in axes})


def _filled(
    student: Shrinkable, counted: _Counted, shape: Shape, axes: Sequence[str], most: float, measure: int
) -> Shape:
    """Take back what rounding took too much: the axis that was shrunk most goes up a step, while there is room."""
    open_axes = list(axes)
    while open_axes:
        axis = min(open_axes, key=lambda name: student.share(shape, name) ** (1 / POWERS[name]))
        larger = student.step_up(shape, axis)
        if larger is None or counted(larger)[measure] > most:
            open_axes.remove(axis)
        else:
            shape = larger
    return shape
