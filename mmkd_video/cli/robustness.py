"""The command line of ``tools/robustness.py``."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_interrupt
from mmkd_video.cli.mistakes import EXITS, exit_on_mistake
from mmkd_video.core.command_line import program_of
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.new import expect_new
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.progress_bar import ProgressBar, at_each_tenth
from mmkd_video.export import exported_suffixes
from mmkd_video.workflows.robustness.measuring import SEVERITIES, measure_robustness
from mmkd_video.workflows.robustness.picture import draw_robustness
from mmkd_video.workflows.robustness.tested_model import TestedModel

FOLDER = Path('work_dirs/robustness')


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the command line says, print the tables, and write them with their picture."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    hint = 'the same command goes on after the last pass over the clips'
    with exit_on_interrupt(parser, hint), exit_on_mistake(parser):
        out = Path(options.out or FOLDER / f'{Path(options.config).stem}.json')
        if out.suffix != '.json':
            raise WrongValueError(f'--out: got {str(out)!r}; expected a name that ends in .json')
        picture = Path(options.picture or out.with_suffix('.png'))
        expect_new('--out', out, options.force or not options.out)
        expect_new('--picture', picture, options.force or not (options.picture or options.out))
        same = dict(clips=options.clips, batch_size=options.batch_size, workers=options.workers)
        first = TestedModel(Path(options.config).stem, options.config, options.checkpoint, options.cfg_options, **same)
        models = [first, *(TestedModel(*each, **same) for each in options.beside)]
        with ProgressBar('measuring', 'passes', at_each_tenth) as bar:
            found = measure_robustness(
                models,
                kinds=options.corruptions,
                severities=options.severities,
                seed=options.seed,
                reference=options.reference,
                teacher=options.teacher_name,
                part=out.with_name(f'{out.name}.part'),
                progress=bar,
            )
        draw_robustness(found, picture)
        write_atomically((json.dumps(found.as_dict(), indent=1) + '\n').encode(), out)
        print(found.as_text())
        print(f'\nsaved in {out}, {picture}')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('robustness'),
        description='Accuracy on corrupted test clips: noise, blur, compression, lost frames and more, in five '
        'severities; checkpoints and exported files side by side.',
        epilog='Started again, it goes on after the last pass over the clips; ' + EXITS,
    )
    parser.add_argument(
        'config', help='a distillation config, whose teacher is compared with, or the plain student config'
    )
    parser.add_argument(
        'checkpoint',
        help=f'of the student; or a file that tools/export.py wrote, {" or ".join(exported_suffixes())}',
    )
    parser.add_argument(
        '--beside',
        nargs=3,
        action='append',
        default=[],
        metavar=('NAME', 'CONFIG', 'CHECKPOINT'),
        help='another model of the same test clips, and its name in tables; may be repeated',
    )
    parser.add_argument(
        '--reference',
        metavar='NAME',
        help='model whose errors count as 100 %% in the mean corruption error; none by default. The first one is named '
        'after its config',
    )
    parser.add_argument('--corruptions', nargs='+', metavar='NAME', help='all by default')
    parser.add_argument('--severities', type=int, nargs='+', default=SEVERITIES, help='1 to 5, all by default')
    parser.add_argument('--clips', type=int, default=0, help='test clips, spread over the set; 0: all')
    parser.add_argument('--seed', type=int, default=0, help='that all that is random in corruptions follows from; 0')
    parser.add_argument('--teacher-name', metavar='NAME', help='which of several teachers; the first by default')
    parser.add_argument('--batch-size', type=int, help="clips at once; the test's by default")
    parser.add_argument('--workers', type=int, help="processes that load clips; the test's by default")
    parser.add_argument('--out', help=f"all numbers; {FOLDER}/<config's name>.json by default, which is replaced")
    parser.add_argument('--picture', help='beside --out by default')
    parser.add_argument('--force', action='store_true', help='replace files that are there')
    add_cfg_options(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
