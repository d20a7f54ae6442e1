"""The command line of ``tools/distill.py``."""

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
from mmkd_video.workflows.stages.staging import TABLE, train_stages


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is not trained yet; print the table and where the student is."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    with exit_on_error(parser, resumes=True):
        config = read_config(options.config, options.cfg_options)
        work_dir = Path(options.work_dir or Path('work_dirs', 'distill', Path(options.config).stem))
        student, table = train_stages(config, work_dir, seed=options.seed, may_prepare=not options.no_prepare)
        print(f'\n{table}\nsaved in {work_dir}: {TABLE}, and a checkpoint of each stage; the student is {student}')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('distill'),
        description='Train the stages of a config in order: usually first from the teacher alone, on clips without '
        'labels, then with labels. The student of each stage is what the next begins from. Finished stages are kept, '
        'an interrupted one is resumed. The last one is scored. In one process: launchers are not supported.',
        epilog=EXITS,
    )
    parser.add_argument('config', help='a distillation with stages')
    parser.add_argument('--work-dir', help="work_dirs/distill/<the config's name> by default")
    parser.add_argument('--seed', type=int, default=0, help='of each stage; 0')
    parser.add_argument('--no-prepare', action='store_true', help='neither render clips nor train the teacher')
    add_cfg_options(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
