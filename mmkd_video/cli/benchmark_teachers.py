"""``tools/benchmark.py teachers``: what a training step costs with each kind of teacher."""

import argparse

from mmkd_video.benchmark import Report
from mmkd_video.cli.benchmark_outputs import add_outputs
from mmkd_video.cli.benchmark_rounds import add_step_settings, step_settings
from mmkd_video.core.progress_bar import ProgressBar, at_every_fifth
from mmkd_video.workflows.measure.rounds import StepSettings
from mmkd_video.workflows.measure.saved import TEACHERS
from mmkd_video.workflows.measure.teachers import BASELINE, benchmark_teachers


def add_teachers(kinds: argparse._SubParsersAction) -> None:
    """Add ``teachers`` to the parser of ``tools/benchmark.py``."""
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
    add_step_settings(parser, StepSettings(warmup=2, memory_runs=1), batch_size=8)
    add_outputs(parser, TEACHERS)


def _measure(options: argparse.Namespace) -> Report:
    settings = step_settings(options, options.rounds)
    with ProgressBar('round', print_rule=at_every_fifth) as progress:
        return benchmark_teachers(
            options.configs,
            baseline=options.baseline,
            batch_size=options.batch_size,
            settings=settings,
            progress=progress,
        )
