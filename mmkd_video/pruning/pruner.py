"""Which channels to remove for a target."""

import math
import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import AnyOf, Fraction, ListOf, OneOf, Settings, Text, Whole, checked, invalid_setting
from mmkd_video.core.mistakes import WrongValueError, name_of_kind
from mmkd_video.core.restoring import in_eval
from mmkd_video.pruning.copying import copy_without_hooks
from mmkd_video.pruning.cut import Cut, merge_cuts
from mmkd_video.pruning.history import PruningStep
from mmkd_video.pruning.measures import count_flops, count_params, latency_ratio, params_after
from mmkd_video.pruning.surgery import remove_channels
from mmkd_video.pruning.units import CRITERIA, Unit, Units, class_scores, describe_unpruned, find_units
from mmkd_video.pruning.zeroing import zero_channels

TARGETS = ('params', 'flops', 'latency')
SCOPES = ('global', 'layer')
HALVINGS = dict(params=12, flops=9, latency=6)  # of the interval in which the ratio lies
RAISED_BY_BROKEN_MODELS = (
    RuntimeError,
    ValueError,
    IndexError,
    AssertionError,
)  # what a model raises that lacks the wrong channels
TOLERANCE = 1e-3  # of the largest class score, between a pruned model and one with silent channels


TARGET = Settings(
    'one of dict(params=0.5), dict(flops=0.5), dict(latency=0.5)',
    remedy='the number is the fraction that is left, between 0 and 1',
)


@checked(
    target=TARGET,
    criterion=OneOf(*CRITERIA),
    scope=OneOf(*SCOPES),
    keep=AnyOf(ListOf(Text('the name of a layer')), Text('the name of a layer')),
    round_to=Whole(1),
    max_ratio=Fraction(),
    seed=Whole(0),
)
class Pruner:
    """Find the channels whose removal brings a model to a target.

    Args:
        target: ``dict(params=0.5)``, ``dict(flops=0.5)`` or ``dict(latency=0.5)``: what is left, as a fraction.
        criterion: ``'magnitude'``, ``'bn_scale'``, ``'taylor'`` or ``'random'``; see :func:`~.units.find_units`.
        scope: ``'global'``: channels of all layers compete; ``'layer'``: each unit loses the same fraction.
        keep: Names or patterns of layers that lose no output channel.
        round_to: Number of which the channels left of a unit are a multiple, where the unit has that many.
        max_ratio: Largest fraction that a unit may lose, over all steps together.
        seed: Seed of ``'random'``.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        target: Mapping[str, float],
        criterion: str = 'magnitude',
        scope: str = 'global',
        keep: Sequence[str] = (),
        round_to: int = 1,
        max_ratio: float = 0.9,
        seed: int = 0,
    ) -> None:
        self.kind, self.fraction = check_target(target)
        self.criterion, self.scope, self.keep = criterion, scope, tuple([keep] if isinstance(keep, str) else keep)
        self.round_to, self.max_ratio, self.seed = round_to, max_ratio, seed

    def find(
        self, model: nn.Module, inputs: Tensor, fraction: float | None = None, steps: Sequence[PruningStep] = ()
    ) -> PruningStep:
        """Find one step; the model stays as it is.

        Args:
            model: A recognizer. For ``'taylor'`` its parameters hold gradients.
            inputs: One batch as its ``forward`` takes it, ``(N, T, C, H, W)`` or ``(N, M, C, T, H, W)``.
            fraction: Fraction that is to be left of this model; the target's own by default.
            steps: Steps that were done before towards the same target. Before the first of several it is seen that the
                last one can be.

        Returns:
            The step, for :func:`~mmkd_video.pruning.apply_step`.

        Raises:
            ValueError: The target cannot be reached, or a layer cannot be pruned; the message says which.
        """
        fraction = self.fraction if fraction is None else fraction
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', module='torch_pruning')  # what it does not understand is noticed below
            units = find_units(model, inputs, self.criterion, self.keep, self.seed)
            whole = {cut.layer: cut.size for step in reversed(steps) for cut in step.cuts if cut.side != 'in'}
            for unit in units.units:
                unit.least = max(math.ceil(whole.get(unit.name, unit.size) * (1 - self.max_ratio)), 1)
            before = self._measure(model, units, [], inputs)
            if not steps and fraction > self.fraction:
                self._expect_reach(model, units, inputs, before)
            cuts, found = self._search(model, units, inputs, fraction * before, before)
            _verify(model, units, cuts, inputs)
        settings = dict(target={self.kind: self.fraction}, criterion=self.criterion, scope=self.scope)
        if whole := describe_unpruned(units.left):
            settings['left_whole'] = whole
        sizes = dict(params=count_params(model)), dict(params=params_after(model, cuts))
        if self.kind != 'params':
            sizes[0][self.kind], sizes[1][self.kind] = before, found
        return PruningStep(cuts, settings, *sizes)

    def _search(
        self, model: nn.Module, units: Units, inputs: Tensor, goal: float, before: float
    ) -> tuple[list[Cut], float]:
        """Halve the interval that holds the smallest ratio which reaches the goal."""
        if goal >= before:
            return [], before
        cuts = self._cuts_at(units, self.max_ratio)
        best = cuts, self._measure(model, units, cuts, inputs)
        if best[1] > goal:
            raise self._out_of_reach(units, best[1] / before)
        low, high = 0.0, self.max_ratio
        for _ in range(HALVINGS[self.kind]):
            middle = (low + high) / 2
            cuts = self._cuts_at(units, middle)
            found = self._measure(model, units, cuts, inputs)
            if found <= goal:
                high, best = middle, (cuts, found)
            else:
                low = middle
        return best

    def _expect_reach(self, model: nn.Module, units: Units, inputs: Tensor, before: float) -> None:
        """Check that the target can be reached when every unit has lost all that it may."""
        least = self._measure(model, units, self._cuts(units, [unit.size for unit in units.units]), inputs)
        if least > self.fraction * before:
            raise self._out_of_reach(units, least / before)

    def _out_of_reach(self, units: Units, least: float) -> ValueError:
        left = ', '.join(f'{name} ({reason})' for name, reason in list(units.left.items())[:4])
        return WrongValueError(
            f'target {self.kind}={self.fraction:g} cannot be reached: at most max_ratio={self.max_ratio:g} of the '
            f'channels of {len(units.units)} units may go, which leaves {least:.3f} of this model'
            + (f'; left whole are {len(units.left)} others: {left}' if left else '')
            + '. Raise the target or max_ratio, keep less, or choose a narrower model'
        )

    def _measure(self, model: nn.Module, units: Units, cuts: list[Cut], inputs: Tensor) -> float:
        if self.kind == 'params':
            return float(params_after(model, cuts))
        pruned = copy_without_hooks(model)
        try:
            remove_channels(pruned, cuts)
            if self.kind == 'flops':
                return count_flops(pruned, inputs)
            return latency_ratio(pruned, model, inputs) if cuts else 1.0
        except RAISED_BY_BROKEN_MODELS:
            _verify(model, units, cuts, inputs)  # where channels are the reason, it names them
            raise

    def _cuts_at(self, units: Units, ratio: float) -> list[Cut]:
        """Return the cuts that remove a fraction of all scored channels."""
        if self.scope == 'global':
            return self._cuts(units, _least_important(units, ratio))
        return self._cuts(units, [math.floor(ratio * unit.size) for unit in units.units])

    def _cuts(self, units: Units, wanted: list[int]) -> list[Cut]:
        cuts: list[Cut] = []
        for unit, count in zip(units.units, wanted, strict=True):
            removed = unit.importance.argsort(stable=True)[: self._allowed(count, unit)]
            if len(removed):
                cuts += units.cuts_for(unit, sorted(removed.tolist()))
        return merge_cuts(cuts)

    def _allowed(self, wanted: int, unit: Unit) -> int:
        left = max(unit.size - wanted, unit.least)
        return unit.size - min(math.ceil(left / self.round_to) * self.round_to, unit.size)


def check_target(target: Mapping[str, float]) -> tuple[str, float]:
    """Return the measure of a target and the fraction to be left.

    Raises:
        ValueError: It is malformed.
    """
    TARGET.check('target', target)
    if len(target) != 1 or next(iter(target)) not in TARGETS:
        raise invalid_setting('target', target, TARGET.expected, TARGET.remedy)
    ((kind, fraction),) = target.items()
    Fraction().check(f'target.{kind}', fraction)
    return kind, float(fraction)


def _least_important(units: Units, ratio: float) -> list[int]:
    """Return how many channels of each unit are among the least important of all; equal ones go in turn."""
    importance = torch.cat([unit.importance for unit in units.units])
    places = [unit.importance.argsort(stable=True).argsort() / unit.size for unit in units.units]
    order = torch.cat(places).argsort(stable=True)
    order = order[importance[order].argsort(stable=True)]
    gone = torch.zeros(len(order), dtype=torch.bool)
    gone[order[: math.floor(ratio * len(order))]] = True
    return [int(part.sum()) for part in gone.split([unit.size for unit in units.units])]


def _verify(model: nn.Module, units: Units, cuts: list[Cut], inputs: Tensor) -> None:
    """Check that removing channels changes the scores as zeroing them does, so that the trace was right."""
    problem = _difference(model, cuts, inputs)
    if problem is None:
        return
    for unit in units.units:
        own = merge_cuts(units.cuts_for(unit, [int(unit.importance.argmin())])) if unit.size > 1 else []
        alone = _difference(model, own, inputs)
        if alone is not None:
            raise WrongValueError(
                f'the channels of {unit.name!r} cannot be pruned: {alone}. torch-pruning does not understand how they '
                f'are used; leave them whole with keep=[{unit.name!r}]'
            )
    raise WrongValueError(f'this {type(model).__name__} cannot be pruned: {problem}')


def _difference(model: nn.Module, cuts: list[Cut], inputs: Tensor) -> str | None:
    silent = copy_without_hooks(model)
    zero_channels(silent, cuts)
    with in_eval(silent):
        expected = class_scores(silent, inputs)
    pruned = copy_without_hooks(model)
    try:
        remove_channels(pruned, cuts)
        with in_eval(pruned):
            got = class_scores(pruned, inputs)
    except RAISED_BY_BROKEN_MODELS as error:
        return f'without them the model does not run ({name_of_kind(error)}: {(str(error).splitlines() or [""])[0]})'
    if got.shape != expected.shape:
        return f'without them the scores have shape {tuple(got.shape)} instead of {tuple(expected.shape)}'
    if not torch.isfinite(expected).all():
        return None  # weights that overflow cannot be compared
    error = (got - expected).abs().max().item()
    scale = max(expected.abs().max().item(), 1e-6)
    return f'the scores change by {error / scale:.1e} of the largest one' if error > TOLERANCE * scale else None
