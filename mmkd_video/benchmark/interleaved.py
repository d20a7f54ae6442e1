"""Timing of several callables side by side."""

import gc
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from mmkd_video.benchmark.load_watch import LoadWatch
from mmkd_video.core.mistakes import WrongValueError

MOST_THROWN = 2  # rounds beside other load for each that is wanted, before it is given up
UNTIMED_SECONDS = 0.2  # after which no more untimed calls are made


@dataclass
class Timings:
    """Times of one callable, round by round.

    Attributes:
        wall: Seconds that passed.
        cpu: CPU seconds of the whole process, all threads together; time in which others had the cores is not in it.
        disturbed: Whether other load went on in these rounds, so that ``wall`` says nothing.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    disturbed: bool = False


@dataclass(frozen=True)
class Rounds:
    """The number of rounds to measure.

    Attributes:
        fewest: Number of rounds that are measured before anything is judged, at least 1.
        most: Most rounds, which are added until there is enough; ``fewest`` by default.
        warmup: Number of rounds before them, which are not measured.
        seed: Seed of the orders of the variants.
        enough: Function that is given the timings by name so far and tells whether they will do.
    """

    fewest: int
    most: int | None = None
    warmup: int = 3
    seed: int = 0
    enough: Callable[[dict[str, Timings]], bool] = lambda timings: True

    def __post_init__(self) -> None:
        if self.fewest < 1:
            raise WrongValueError(f'rounds: got {self.fewest}; expected at least 1')
        if self.most is not None and self.most < self.fewest:
            raise WrongValueError(
                f'most rounds: got {self.most}, fewer than the {self.fewest} that are always measured'
            )

    def done(self, kept: list[dict]) -> bool:
        """Return whether these rounds will do."""
        if len(kept) < self.fewest:
            return False
        return len(kept) >= (self.most or self.fewest) or self.enough(_by_name(kept))

    def goal(self, count: int) -> int:
        """Return how many rounds there may be, given how many there are."""
        return self.fewest if count <= self.fewest else max(count, self.most or self.fewest)


def measure_interleaved(
    variants: Mapping[str, Callable[[], object]],
    rounds: Rounds,
    watch: LoadWatch | None = None,
    device: str | torch.device = 'cpu',
    progress: Callable[[int, int], None] | None = None,
    untimed_calls: int = 0,
) -> dict[str, Timings]:
    """Call every variant once a round, in an order that is drawn for each round.

    What disturbs a machine for longer than a round disturbs all variants alike, and none always follows the same other.
    Garbage is collected before each call and never during one. Rounds beside which others used the processors are
    measured again; where twice as many as were wanted had to be, it is given up (sooner, after it was given up once):
    all rounds are returned, as disturbed.

    Args:
        variants: Callables by name.
        rounds: Numbers of rounds.
        watch: Watch for other load, which keeps what it saw; by default one whose result is not used.
        device: Device on which the work runs; a CUDA device is waited for at both ends of a call.
        progress: Function that is called with (rounds done, rounds in all as far as is known).
        untimed_calls: Number of calls right before each measured one, so that it finds its own data and code in the
            caches and its threads awake: how a variant runs that has a machine to itself. Some ten calls of a
            millisecond do it; after 0.2 seconds no more are made.

    Returns:
        Timings by name, the i-th of each from the same round.

    Raises:
        ValueError: No variants.
    """
    if not variants:
        raise WrongValueError('got 0 variants to measure; expected at least one')
    watch, device = watch or LoadWatch(), torch.device(device)
    orders = random.Random(rounds.seed)

    def one_round() -> dict[str, tuple[float, float]]:
        found = {}
        for name in orders.sample(list(variants), len(variants)):
            gc.collect()
            _call_untimed(variants[name], untimed_calls)
            found[name] = _time_once(variants[name], device, watch)
            if device.type == 'cpu':  # a GPU's work is not the process's
                watch.count_call(*found[name])
        return {name: found[name] for name in variants}

    kept: list[dict] = []
    thrown: list[dict] = []
    window: list[dict] = []
    done = False
    with _collected_by_hand():
        for _ in range(rounds.warmup):
            one_round()
        watch.begin()
        patience = rounds.fewest * (1 if watch.gave_up else MOST_THROWN)
        while not done and len(thrown) <= patience:
            window.append(one_round())
            count = len(kept) + len(window)
            if watch.due or count in (rounds.fewest, rounds.most):
                (thrown if watch.end() else kept).extend(window)
                window, done = [], rounds.done(kept)
            if progress is not None:
                progress(count, rounds.goal(count))
    if done:
        return _by_name(kept)
    watch.gave_up = True
    return {name: Timings(each.wall, each.cpu, True) for name, each in _by_name(kept + thrown).items()}


def _by_name(rounds: list[dict[str, tuple[float, float]]]) -> dict[str, Timings]:
    return {name: Timings(*map(list, zip(*(each[name] for each in rounds), strict=True))) for name in rounds[0]}


@contextmanager
def _collected_by_hand() -> Iterator[None]:
    collecting = gc.isenabled()
    gc.disable()
    gc.collect()
    gc.freeze()  # what is there already is not looked through before every call
    try:
        yield
    finally:
        gc.unfreeze()
        if collecting:
            gc.enable()


def _call_untimed(call: Callable[[], object], times: int) -> None:
    start = time.perf_counter()
    for _ in range(times):
        call()
        if time.perf_counter() - start > UNTIMED_SECONDS:
            return


def _time_once(call: Callable[[], object], device: torch.device, watch: LoadWatch) -> tuple[float, float]:
    _wait_for(device)
    cpu, wall = watch.cpu_time(), watch.clock()
    call()
    _wait_for(device)
    return watch.clock() - wall, watch.cpu_time() - cpu


def _wait_for(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
