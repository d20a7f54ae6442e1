"""How many rounds a benchmark measures, and what its page says about them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mmkd_video.benchmark import LoadWatch, Rounds, Timings, describe_processor

FEWEST_ROUNDS, MOST_ROUNDS = 20, 200


@dataclass(frozen=True)
class StepSettings:
    """How training steps are measured.

    Args:
        rounds: Fewest measured rounds; each holds every variant once.
        max_rounds: Most rounds; more than ``rounds`` are added until the intervals are narrow enough.
        warmup: Number of rounds before the measured ones.
        threads: Number of PyTorch's threads; with one, CPU time counts only work.
        device: ``'cpu'`` or a CUDA device.
        memory_runs: Number of processes for the peak memory of each variant; 0 for no memory.
    """

    rounds: int = FEWEST_ROUNDS
    max_rounds: int = MOST_ROUNDS
    warmup: int = 3
    threads: int = 1
    device: str = 'cpu'
    memory_runs: int = 3

    def rounds_until(self, enough: Callable[[dict[str, Timings]], bool]) -> Rounds:
        """Return the rounds to measure; ``max_rounds`` below ``rounds`` means ``rounds``.

        Args:
            enough: Function that is told the timings so far by name and says whether they will do.
        """
        return Rounds(self.rounds, max(self.rounds, self.max_rounds), self.warmup, enough=enough)

    @property
    def on_gpu(self) -> bool:
        """Whether the steps run on a GPU, whose work is not the process's, so that there is only wall time."""
        return self.device.startswith('cuda')


def measured_facts(timings: Mapping[str, Timings], watch: LoadWatch, device: str = 'cpu') -> dict[str, str]:
    """Return what was measured, how often and beside what, for the facts of a report.

    Args:
        timings: Timings of one run, by variant.
        watch: Watch that looked for other load.
        device: Device on which it ran.
    """
    counts = sorted({len(each.wall) for each in timings.values()})
    told = ' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    few = f' (too few to judge by: at least {FEWEST_ROUNDS})' if counts[0] < FEWEST_ROUNDS else ''
    clocks = 'wall time' if device.startswith('cuda') else 'CPU time of all threads of the process, and wall time'
    return {
        'measured': f'{clocks}; {told} interleaved rounds in random order{few}; medians with 95 % intervals from order '
        'statistics, of ratios within a round',
        'other load': str(watch),
        'processor': describe_processor(),
    }
