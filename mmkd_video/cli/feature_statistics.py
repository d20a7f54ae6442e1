"""The command line of ``tools/feature_statistics.py``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_interrupt
from mmkd_video.cli.mistakes import EXITS, exit_on_mistake
from mmkd_video.core.command_line import program_of
from mmkd_video.core.files.new import expect_new
from mmkd_video.core.mistakes import as_settings_errors
from mmkd_video.core.progress_bar import ProgressBar, at_each_tenth
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.cache.feature_statistics import feature_statistics


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure a teacher's features as the command line says."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    with exit_on_interrupt(parser, 'nothing was written'), exit_on_mistake(parser):
        with as_settings_errors():
            config = read_config(options.config, options.cfg_options)
        name = '_'.join(filter(None, (Path(options.config).stem, options.teacher_name)))
        out = Path(options.out or Path('work_dirs', 'statistics', f'{name}.safetensors'))
        expect_new('--out', out, options.force)
        with ProgressBar('looking at features', 'clips', at_each_tenth) as bar:
            done = feature_statistics(
                config,
                out,
                taps=options.taps,
                teacher=options.teacher_name,
                clips=options.clips,
                batch_size=options.batch_size,
                workers=options.workers,
                progress=bar,
            )
        for tap, each in done.taps.items():
            print(f'{tap}: {len(each.mean)} channels at {each.positions} positions, spread {each.scale:.4g}')
        print(f"{out} holds statistics of {done.clips} clips; target_norm=dict(type='phi_s', statistics={str(out)!r})")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('feature-statistics'),
        description="Run a distillation's teacher over its training set, and write mean, spread and rotation of its "
        'features to one file, which target_norm of a term names. In one process.',
        epilog=EXITS,
    )
    parser.add_argument('config', help='of the distillation whose teacher is looked at')
    parser.add_argument('--out', help='file to write; work_dirs/statistics/<config>.safetensors by default')
    parser.add_argument('--taps', nargs='+', help='places in the teacher; by default what the terms read of it')
    parser.add_argument('--teacher-name', metavar='NAME', help='which teacher or member; the only one by default')
    parser.add_argument('--clips', type=int, help='how many clips, drawn at random; all by default')
    parser.add_argument('--batch-size', type=int, help="clips at once; the training's by default")
    parser.add_argument('--workers', type=int, help="processes that load clips; the training's by default")
    parser.add_argument('--force', action='store_true', help='replace a file that is there')
    add_cfg_options(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
