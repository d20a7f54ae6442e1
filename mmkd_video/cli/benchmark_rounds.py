"""How many rounds a benchmark measures, and what its page says about them."""

import argparse
from collections.abc import Mapping

from mmkd_video.benchmark import LoadWatch, Timings, describe_processor

FEWEST, MOST = 20, 200


def add_max_rounds(parser: argparse.ArgumentParser, most: int = MOST) -> None:
    """Add ``--max-rounds``.

    Args:
        parser: Of one kind of benchmark.
        most: Default.
    """
    parser.add_argument(
        '--max-rounds',
        type=int,
        default=most,
        help='rounds are added until the interval of every target reaches at most a hundredth of its median from it, '
        f'or lies on one side of the target; no more than these ({most})',
    )


def most_rounds(options: argparse.Namespace, fewest: int) -> int:
    """Return the most rounds to measure: what was asked for, and never fewer than the first ones."""
    return max(fewest, options.max_rounds)


def measured_facts(timings: Mapping[str, Timings], watch: LoadWatch, device: str = 'cpu') -> dict[str, str]:
    """Return what was measured, how often and beside what, for the facts of a report.

    Args:
        timings: All of one run.
        watch: What looked for other load.
        device: Where it ran.
    """
    counts = sorted({len(each.wall) for each in timings.values()})
    told = ' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    few = f' (too few to judge by: at least {FEWEST})' if counts[0] < FEWEST else ''
    clocks = 'wall time' if device.startswith('cuda') else 'CPU time of all threads of the process, and wall time'
    return {
        'measured': f'{clocks}; {told} interleaved rounds in random order{few}; medians with 95 % intervals from order '
        'statistics, of ratios within a round',
        'other load': str(watch),
        'processor': describe_processor(),
    }
