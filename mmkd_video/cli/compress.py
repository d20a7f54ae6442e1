"""The command line of ``tools/compress.py``: from a teacher to a small file, checked and measured."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_sigterm
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.compress.compress import check, compress
from mmkd_video.workflows.compress.settings import read_settings
from mmkd_video.workflows.compress.work import CompressionWork
from mmkd_video.workflows.train.prepare import prepare


def main(arguments: Sequence[str] | None = None) -> None:
    """Do the stages that are not done yet; print the table and where everything is."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    with exit_on_error(parser, resumes=True):
        config = read_config(options.config, options.cfg_options)
        settings = read_settings(config)
        work_dir = Path(options.work_dir or Path('work_dirs', 'compress', Path(options.config).stem))
        work = CompressionWork(config, settings, work_dir, options.force)
        check(work, options.checkpoint)
        prepare(config, allowed=not options.no_prepare)
        compress(work, options.checkpoint)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('compress'),
        description='Distil a student, prune it while distilling, export and quantize it, compare the files with '
        'PyTorch and measure all of them. Finished stages are kept, an interrupted one goes on.',
        epilog=EXITS,
    )
    parser.add_argument('config', help="a distillation config with a block 'compress'")
    parser.add_argument('--work-dir', help="work_dirs/compress/<config's name> by default")
    parser.add_argument('--checkpoint', help='a distilled student to begin from, instead of distilling one')
    parser.add_argument(
        '--force',
        action='store_true',
        help='do stages after training (export, quantize, benchmark) again that were done with other settings; a '
        'training of other settings is never thrown away: delete its folder, or choose another --work-dir',
    )
    parser.add_argument('--no-prepare', action='store_true', help='neither render clips nor train the teacher first')
    add_cfg_options(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
