"""``tools/benchmark.py frozen``: what a training step costs with frozen layers."""

import argparse

from mmkd_video.benchmark import Report
from mmkd_video.cli.benchmark_outputs import add_outputs
from mmkd_video.cli.benchmark_rounds import add_step_settings, step_settings
from mmkd_video.core.progress_bar import ProgressBar, at_every_fifth
from mmkd_video.workflows.measure.frozen import CONFIG, benchmark_frozen
from mmkd_video.workflows.measure.rounds import StepSettings
from mmkd_video.workflows.measure.saved import FROZEN


def add_frozen(kinds: argparse._SubParsersAction) -> None:
    """Add ``frozen`` to the parser of ``tools/benchmark.py``."""
    parser = kinds.add_parser(
        FROZEN,
        help='trained parameters, time and memory of a training step with frozen layers',
        description='Train one student with several sets of frozen layers side by side.',
    )
    parser.set_defaults(measure=_measure)
    parser.add_argument('config', nargs='?', default=CONFIG, help='a distillation config')
    parser.add_argument(
        '--freeze',
        nargs='+',
        default=[],
        metavar='MODULES',
        help='what is frozen, names or patterns joined by commas; by default half of the backbone, and all of it',
    )
    parser.add_argument('--distilled', action='store_true', help='steps of the distillation, not of the student alone')
    add_step_settings(parser, StepSettings(warmup=2, memory_runs=1), batch_size=8)
    add_outputs(parser, FROZEN)


def _measure(options: argparse.Namespace) -> Report:
    with ProgressBar('round', print_rule=at_every_fifth) as progress:
        return benchmark_frozen(
            options.config,
            freezes=options.freeze,
            distilled=options.distilled,
            batch_size=options.batch_size,
            settings=step_settings(options, options.rounds),
            progress=progress,
        )
