"""``tools/benchmark.py views``: what a student of fewer or smaller frames saves beside the same teacher."""

import argparse

from mmkd_video.benchmark import Report
from mmkd_video.cli.benchmark_outputs import add_outputs
from mmkd_video.cli.benchmark_rounds import add_step_settings, step_settings
from mmkd_video.core.progress_bar import ProgressBar, at_every_fifth
from mmkd_video.workflows.measure.rounds import StepSettings
from mmkd_video.workflows.measure.saved import VIEWS
from mmkd_video.workflows.measure.views import benchmark_views


def add_views(kinds: argparse._SubParsersAction) -> None:
    """Add ``views`` to the parser of ``tools/benchmark.py``."""
    parser = kinds.add_parser(
        VIEWS,
        help='fewer and smaller frames for the student beside the same teacher: decoding, step, memory, clip',
        description="Train one distillation with students that see clips of several shapes; the teacher's stay.",
    )
    parser.set_defaults(measure=_measure)
    parser.add_argument('config', nargs='?', help='a distillation config; by default I3D-R50 to TSM-MobileNetV2')
    parser.add_argument(
        '--student',
        nargs='+',
        default=[],
        metavar='FRAMESxSIZE',
        help="the student's clips, such as 16x224 8x224 8x112; the first is what the others are compared with",
    )
    add_step_settings(parser, StepSettings())
    add_outputs(parser, VIEWS)


def _measure(options: argparse.Namespace) -> Report:
    settings = step_settings(options, options.rounds)
    with ProgressBar('round', print_rule=at_every_fifth) as progress:
        return benchmark_views(
            options.config, options.student, batch_size=options.batch_size, settings=settings, progress=progress
        )
