"""Options of the benchmarks that measure training steps: rounds, threads, device and memory."""

import argparse

from mmkd_video.cli.benchmark_outputs import add_max_rounds
from mmkd_video.workflows.measure.rounds import StepSettings


def add_step_settings(
    parser: argparse.ArgumentParser, usual: StepSettings, option: str = '--rounds', batch_size: int | None = None
) -> None:
    """Add the options that :func:`step_settings` reads, and ``--batch-size``.

    Args:
        parser: Parser of one kind of benchmark.
        usual: Settings by default.
        option: Name of the option for the number of rounds.
        batch_size: Number of clips in a batch by default; None for the config's.
    """
    parser.add_argument(option, type=int, default=usual.rounds, help='measured rounds; each holds every variant once')
    add_max_rounds(parser, usual.max_rounds)
    parser.add_argument('--warmup', type=int, default=usual.warmup, help='rounds before that')
    parser.add_argument('--batch-size', type=int, default=batch_size, help="instead of the config's")
    parser.add_argument(
        '--threads', type=int, default=usual.threads, help="PyTorch's; with one, CPU time counts only work"
    )
    parser.add_argument('--device', default=usual.device, help='cpu or cuda')
    parser.add_argument(
        '--memory-runs', type=int, default=usual.memory_runs, help='processes per variant; 0: no memory'
    )


def step_settings(options: argparse.Namespace, rounds: int) -> StepSettings:
    """Return the settings that the options of :func:`add_step_settings` say.

    Args:
        options: Parsed options.
        rounds: Number of measured rounds.
    """
    return StepSettings(
        rounds=rounds,
        max_rounds=options.max_rounds,
        warmup=options.warmup,
        threads=options.threads,
        device=options.device,
        memory_runs=options.memory_runs,
    )
