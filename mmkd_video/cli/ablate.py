"""The command line of ``tools/ablate.py``."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_sigterm
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of, words_of
from mmkd_video.workflows.compare.ablating import ablate, as_text


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not finished yet, print the table."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    command = shlex.join([*words_of('ablate'), *(sys.argv[1:] if arguments is None else arguments)])
    with exit_on_error(parser, resumes=True):
        ablation = ablate(
            options.configs,
            baseline=options.baseline,
            epochs=options.epochs,
            seeds=options.seeds,
            work_dir=Path(options.work_dir),
            metric=options.metric,
            command=command,
            cfg_options=options.cfg_options,
            may_prepare=not options.no_prepare,
        )
        print(f'\n{as_text(ablation)}\nsaved in {options.work_dir}: ablation.md, ablation.yml')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('ablate'),
        description='Compare losses with logits alone and with the student alone, at one budget: same seeds, steps, '
        'augmentation and learning rate, no validation; the last checkpoint is scored on test. What all share is '
        'trained once; finished runs are kept, an interrupted one is resumed.',
        epilog=EXITS,
    )
    parser.add_argument('configs', nargs='+', help="distillation configs that hold the baseline's terms and more")
    parser.add_argument('--baseline', default='configs/losses/kd.py', help='what they are compared with')
    parser.add_argument('--epochs', type=int, default=8, help='of each training; the learning rate ends with them')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='of the runs')
    parser.add_argument('--metric', default='acc/top1', help='compared on test')
    parser.add_argument('--work-dir', default='work_dirs/ablation', help='one folder for each run')
    parser.add_argument('--no-prepare', action='store_true', help='neither render clips nor train the teacher first')
    add_cfg_options(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
