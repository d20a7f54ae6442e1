"""The command line of ``tools/test.py``: MMAction2's arguments, for checkpoints and for exported files."""

import argparse
import os
from collections.abc import Sequence

import mmkd_video  # noqa: F401  the stack must be mended before a runner is built
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_interrupt
from mmkd_video.cli.mistakes import EXITS, exit_on_mistake
from mmkd_video.cli.train import add_launcher
from mmkd_video.core.command_line import program_of
from mmkd_video.export import export_backends, exported_suffixes
from mmkd_video.export.metadata import PRECISIONS
from mmkd_video.workflows.train.testing import EvaluationSettings, run_test


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Test as the command line says.

    Returns:
        The metrics.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    os.environ.setdefault('LOCAL_RANK', str(options.local_rank))
    with exit_on_interrupt(parser), exit_on_mistake(parser):
        settings = EvaluationSettings(
            backend=options.backend,
            threads=options.threads,
            precision=options.precision,
            report=options.report,
            dump=options.dump,
            work_dir=options.work_dir,
            show=options.show,
            show_dir=options.show_dir,
            interval=options.interval,
            wait_time=options.wait_time,
            launcher=options.launcher,
            cfg_options=options.cfg_options,
        )
        return run_test(options.config, options.checkpoint, settings, force=options.force)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('test'),
        description='Test a checkpoint, or an exported file, with a distillation or a plain config.',
        epilog=EXITS,
    )
    parser.add_argument('config', help='a distillation config, or the plain student config')
    parser.add_argument(
        'checkpoint',
        help=f'of the student; or a file that tools/export.py wrote, {" or ".join(exported_suffixes())}',
    )
    parser.add_argument(
        '--backend',
        metavar='RUNTIME',
        help=f'{", ".join(["pytorch", *export_backends()])}: what runs it; by the name of the file by default',
    )
    parser.add_argument('--threads', type=int, help="CPU threads of an exported file; the runtime's choice by default")
    parser.add_argument('--precision', choices=PRECISIONS, help='of an exported file; what it says by default')
    parser.add_argument('--report', metavar='FILE.json', help='write metrics by class and the confusion matrix')
    parser.add_argument('--force', action='store_true', help='replace an existing --report or --dump')
    parser.add_argument('--work-dir', help="for logs and metrics; work_dirs/<config's name> by default")
    parser.add_argument('--dump', metavar='FILE.pkl', help='write all predictions into a pickle file')
    parser.add_argument('--show-dir', help='write images with predictions into this folder')
    parser.add_argument('--show', action='store_true', help='show predictions in a window')
    parser.add_argument('--interval', type=int, default=1, help='show every n-th sample')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds a window stays')
    add_cfg_options(parser)
    add_launcher(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
