"""``tools/benchmark.py teachers``: what a training step costs with each kind of teacher."""

import argparse

from mmkd_video.benchmark import Report
from mmkd_video.cli.benchmark_outputs import add_max_rounds, add_outputs
from mmkd_video.core.progress_bar import ProgressBar, at_every_fifth
from mmkd_video.workflows.measure.rounds import StepSettings
from mmkd_video.workflows.measure.saved import TEACHERS
from mmkd_video.workflows.measure.teachers import BASELINE, benchmark_teachers


def add_teachers(kinds: argparse._SubParsersAction) -> None:
    """Add ``teachers`` to the parser of ``tools/benchmark.py``."""
    usual = StepSettings(warmup=2, memory_runs=1)
    parser = kinds.add_parser(
        TEACHERS,
        help='time and memory of a training step with each kind of teacher',
        description='Train one student with several kinds of teachers side by side, and alone.',
    )
    parser.set_defaults(measure=_measure)
    parser.add_argument(
        'configs', nargs='*', help='distillation configs of one student; by default the shipped kinds of teachers'
    )
    parser.add_argument('--baseline', default=BASELINE, help='what they are compared with')
    parser.add_argument('--rounds', type=int, default=usual.rounds, help='each holds every config once')
    add_max_rounds(parser, usual.max_rounds)
    parser.add_argument('--warmup', type=int, default=usual.warmup, help='rounds before that')
    parser.add_argument('--batch-size', type=int, default=8, help='clips in a batch')
    parser.add_argument('--threads', type=int, default=usual.threads, help="PyTorch's")
    parser.add_argument('--device', default=usual.device, help='cpu or cuda')
    parser.add_argument('--memory-runs', type=int, default=usual.memory_runs, help='processes per config; 0: no memory')
    add_outputs(parser, TEACHERS)


def _measure(options: argparse.Namespace) -> Report:
    settings = StepSettings(
        rounds=options.rounds,
        max_rounds=options.max_rounds,
        warmup=options.warmup,
        threads=options.threads,
        device=options.device,
        memory_runs=options.memory_runs,
    )
    with ProgressBar('round', print_rule=at_every_fifth) as progress:
        return benchmark_teachers(
            options.configs,
            baseline=options.baseline,
            batch_size=options.batch_size,
            settings=settings,
            progress=progress,
        )
