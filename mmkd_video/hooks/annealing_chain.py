"""Simulated annealing over some positive numbers, one decision at a time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import torch

from mmkd_video.core.plain_data import Many, Maybe, Number, OneOf, Record, Table, Whole

START, KEPT, TRIED, DONE = 'start', 'kept', 'tried', 'done'
_VALUE, _COUNT = Number(-1e300, 1e300), Whole(0, 2**62)
_FACTORS = Table(Number(1e-12, 1e12), most=1000)
_TRIAL = Record(
    dict(factors=_FACTORS, gain=_VALUE, kept_gain=_VALUE, probability=Number(0, 1), accepted=OneOf((True, False)))
)
STATE = Record(
    dict(
        kept=_FACTORS,
        current=_FACTORS,
        phase=OneOf((START, KEPT, TRIED, DONE)),
        last=Maybe(_VALUE),
        kept_gain=Maybe(_VALUE),
        trials=Many(_TRIAL, most=100_000),
        seen=_COUNT,
    )
)
"""What :meth:`AnnealingChain.state` returns."""


@dataclass(frozen=True)
class Trial:
    """One proposal.

    Attributes:
        factors: Factor of each number.
        gain: Rise of the score while it held.
        kept_gain: Rise of the score while the kept factors held, in the interval before.
        probability: Probability of its acceptance.
        accepted: Whether it was accepted.
    """

    factors: Mapping[str, float]
    gain: float
    kept_gain: float
    probability: float
    accepted: bool


@dataclass
class AnnealingChain:
    """A Markov chain with the acceptance of Metropolis et al. (1953), cooled as of Kirkpatrick et al. (1983).

    Kept factors and a proposal take turns. A proposal multiplies each kept factor by the exponential of a normal draw,
    within bounds. It is accepted where the score rose at least as much as in the interval before, and else with the
    probability ``exp((gain - kept gain) / temperature)``. All draws follow from the seed and the number of the step.

    Args:
        names: Names of the numbers.
        steps: Number of proposals.
        spread: Standard deviation of the logarithm of a step's factor.
        bound: Largest factor; 1 over it is the smallest.
        temperature: Temperature of the first step, in units of the score.
        cooling: Factor of the temperature from one step to the next.
        seed: Seed of all draws.
    """

    names: Sequence[str]
    steps: int
    spread: float
    bound: float
    temperature: float
    cooling: float
    seed: int
    kept: dict[str, float] = field(init=False)
    current: dict[str, float] = field(init=False)
    phase: str = field(default=START, init=False)
    last: float | None = field(default=None, init=False)
    kept_gain: float | None = field(default=None, init=False)
    trials: list[Trial] = field(default_factory=list, init=False)
    seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.kept = dict.fromkeys(self.names, 1.0)
        self.current = dict(self.kept)

    def observe(self, score: float, at: int) -> Trial | None:
        """Take the score at the end of an interval, and set :attr:`current` for the next one.

        Args:
            score: The score; larger is better.
            at: Number that grows from interval to interval; one that was seen already is left out.

        Returns:
            The trial that has been decided on, if one has.
        """
        if self.phase == DONE or at == self.seen:
            return None
        gain, self.last, self.seen = 0.0 if self.last is None else score - self.last, score, at
        if self.phase == TRIED:
            trial = self._decide(gain)
            self.trials.append(trial)
            self.kept = dict(self.current) if trial.accepted else self.kept
            self.current = dict(self.kept)
            self.phase = DONE if len(self.trials) == self.steps else KEPT
            return trial
        if self.phase == KEPT:
            self.kept_gain, self.current = gain, self._propose()
        self.phase = KEPT if self.phase == START else TRIED
        return None

    def state(self) -> dict:
        """Return all that changes, as plain data."""
        keys = ('kept', 'current', 'phase', 'last', 'kept_gain', 'seen')
        return {key: getattr(self, key) for key in keys} | dict(trials=[asdict(trial) for trial in self.trials])

    def restore(self, state: Mapping) -> None:
        """Go on from a state of the form that :data:`STATE` says."""
        for key, value in state.items():
            setattr(self, key, value)
        self.trials = [Trial(**trial) for trial in state['trials']]

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed * 1_000_003 + len(self.trials))

    def _propose(self) -> dict[str, float]:
        noise = torch.randn(len(self.names), generator=self._generator(), dtype=torch.float64).tolist()
        proposed = {}
        for name, draw in zip(self.names, noise, strict=True):
            factor = self.kept[name] * math.exp(self.spread * draw)
            proposed[name] = min(max(factor, 1 / self.bound), self.bound)
        return proposed

    def _decide(self, gain: float) -> Trial:
        temperature = self.temperature * self.cooling ** len(self.trials)
        probability = math.exp(min((gain - self.kept_gain) / max(temperature, 1e-300), 0.0))
        generator = self._generator()
        torch.randn(len(self.names), generator=generator, dtype=torch.float64)  # the proposal's
        draw = torch.rand((), generator=generator, dtype=torch.float64).item()
        return Trial(dict(self.current), gain, self.kept_gain, probability, draw < probability)
