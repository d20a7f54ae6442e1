"""The code behind ``tools/benchmark.py``: what distillation costs, and how fast its results run."""

import argparse
import shlex
import sys
from collections.abc import Sequence

from mmkd_video.benchmark import DeploymentReport, Report
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.benchmark_cache import add_cache
from mmkd_video.cli.benchmark_decode import add_decode
from mmkd_video.cli.benchmark_deploy import add_deploy
from mmkd_video.cli.benchmark_frozen import add_frozen
from mmkd_video.cli.benchmark_outputs import add_outputs, expect_new_outputs
from mmkd_video.cli.benchmark_rounds import add_step_settings, step_settings
from mmkd_video.cli.benchmark_stream import add_stream
from mmkd_video.cli.benchmark_teachers import add_teachers
from mmkd_video.cli.benchmark_views import add_views
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of, words_of
from mmkd_video.core.progress_bar import ProgressBar, at_every_fifth
from mmkd_video.workflows.measure import losses
from mmkd_video.workflows.measure.loss_costs import LossCosts
from mmkd_video.workflows.measure.losses import benchmark_losses
from mmkd_video.workflows.measure.rounds import StepSettings
from mmkd_video.workflows.measure.saved import LOSSES, RANDOM_WEIGHTS, SCALING, STEP, save_report
from mmkd_video.workflows.measure.scaling import benchmark_scaling
from mmkd_video.workflows.measure.step import benchmark_step

FITNET_TERMS = "FitNet terms instead of the config's feature terms"


def main(arguments: Sequence[str] | None = None) -> Report | LossCosts | DeploymentReport:
    """Measure as the command line says, print the table, save it, and return it."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    command = shlex.join([*words_of('benchmark'), *(sys.argv[1:] if arguments is None else arguments)])
    with exit_on_error(parser):
        expect_new_outputs(options)
        report = options.measure(options)
        kind = RANDOM_WEIGHTS if getattr(options, 'random_weights', False) else options.what
        save_report(report, options.out, kind, command.replace(' --force', ''))
        print(report.as_markdown() if options.markdown else report.as_text())
        print(f'\nsaved in {options.out}')
    return report


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('benchmark'), description='Measure what distillation costs and what it buys.', epilog=EXITS
    )
    kinds = parser.add_subparsers(dest='what', required=True)
    _add_step(kinds)
    _add_losses(kinds)
    add_deploy(kinds)
    add_stream(kinds)
    add_decode(kinds)
    _add_scaling(kinds)
    add_views(kinds)
    add_cache(kinds)
    add_teachers(kinds)
    add_frozen(kinds)
    return checked_options(parser)


def _add_step(kinds: argparse._SubParsersAction) -> None:
    parser = kinds.add_parser(STEP, help='time, memory, checkpoint and decoding of a training step')
    parser.set_defaults(measure=_measure_step)
    parser.add_argument('config', nargs='?', help='a distillation config; by default I3D-R50 to TSM-MobileNetV2')
    parser.add_argument(
        '--features',
        nargs='+',
        default=[],
        metavar='STUDENT_TAP:TEACHER_TAP',
        help=FITNET_TERMS,
    )
    add_step_settings(parser, StepSettings(), '--pairs')
    add_outputs(parser, STEP)


def _add_losses(kinds: argparse._SubParsersAction) -> None:
    parser = kinds.add_parser(LOSSES, help='time and memory of a training step with each loss, beside KDLoss')
    parser.set_defaults(measure=_measure_losses)
    parser.add_argument('configs', nargs='*', help='distillation configs of one pair; by default all of configs/losses')
    parser.add_argument('--baseline', default=losses.BASELINE, help='what they are compared with')
    add_step_settings(parser, losses.SETTINGS, '--pairs')
    add_outputs(parser, LOSSES)


def _add_scaling(kinds: argparse._SubParsersAction) -> None:
    parser = kinds.add_parser(SCALING, help='bytes that a process sends in a step, with 2, 4 and 8 of them')
    parser.set_defaults(measure=_measure_scaling)
    parser.add_argument('config', nargs='?', help='a distillation config; by default I3D-R50 to TSM-MobileNetV2')
    parser.add_argument('--features', nargs='+', default=[], metavar='STUDENT_TAP:TEACHER_TAP', help=FITNET_TERMS)
    parser.add_argument(
        '--processes', type=int, nargs='+', default=[2, 4, 8], help='how many train together; 2, 4 and 8 by default'
    )
    parser.add_argument('--batch-size', type=int, help="of each process; instead of the config's")
    add_outputs(parser, SCALING)


def _measure_step(options: argparse.Namespace) -> Report:
    with ProgressBar('round', print_rule=at_every_fifth) as progress:
        return benchmark_step(
            options.config,
            features=options.features,
            batch_size=options.batch_size,
            settings=step_settings(options, options.pairs),
            progress=progress,
        )


def _measure_losses(options: argparse.Namespace) -> LossCosts:
    with ProgressBar('round', print_rule=at_every_fifth) as progress:
        return benchmark_losses(
            options.configs,
            baseline=options.baseline,
            batch_size=options.batch_size,
            settings=step_settings(options, options.pairs),
            progress=progress,
        )


def _measure_scaling(options: argparse.Namespace) -> Report:
    with ProgressBar('training') as progress:
        return benchmark_scaling(
            options.config,
            features=options.features,
            processes=options.processes,
            batch_size=options.batch_size,
            progress=progress,
        )
