"""The command line of ``tools/check_data.py``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_interrupt
from mmkd_video.cli.mistakes import EXITS, REFUSED, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.core.progress_bar import ProgressBar, at_each_tenth
from mmkd_video.workflows.train.data_check import check_data, write_report

SHOWN = 10


def main(arguments: Sequence[str] | None = None) -> None:
    """Open every video of a config once, write what is wrong, and exit with 1 where something is."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    out = Path(options.out or Path('work_dirs', f'{Path(options.config).stem}_data.txt'))
    with exit_on_interrupt(parser), exit_on_error(parser):
        with ProgressBar('opening', 'videos', at_each_tenth) as bar:
            report = check_data(
                options.config,
                workers=options.workers,
                seconds=options.timeout,
                cfg_options=options.cfg_options,
                progress=bar,
            )
        write_report(report, out)
        print('\n'.join(report.problems[:SHOWN]))
        if not report.problems:
            print(f'{report.videos} videos can be read with {report.decoder}; nothing is wrong')
    if report.problems:
        parser.exit(
            REFUSED, f'error: {len(report.problems)} problems in {report.videos} videos; all are listed in {out}\n'
        )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('check-data'),
        description='Read the lists of a config, open every video once, and write what is wrong.',
        epilog=EXITS,
    )
    parser.add_argument('config', help='of a training')
    parser.add_argument('--out', help='file for what is wrong; work_dirs/<config>_data.txt by default')
    parser.add_argument('--workers', type=int, help='processes; as many as there are processors by default')
    parser.add_argument(
        '--timeout', type=float, default=120.0, metavar='SECONDS', help='how long a video may take; 120'
    )
    add_cfg_options(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
