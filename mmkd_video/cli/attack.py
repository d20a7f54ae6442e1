"""The command line of ``tools/attack.py``."""

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
from mmkd_video.core.progress_bar import ProgressBar, at_each_tenth
from mmkd_video.export import exported_suffixes
from mmkd_video.workflows.robustness.attacking import Budget, measure_attacks
from mmkd_video.workflows.robustness.tested_model import TestedModel

FOLDER = Path('work_dirs/attack')


def main(arguments: Sequence[str] | None = None) -> None:
    """Attack as the command line says, print the table, and write it."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    with exit_on_interrupt(parser), exit_on_mistake(parser):
        out = Path(options.out or FOLDER / f'{Path(options.config).stem}.json')
        expect_new('--out', out, options.force or not options.out)
        same = dict(clips=options.clips, batch_size=options.batch_size, workers=options.workers)
        model = TestedModel(Path(options.config).stem, options.config, options.checkpoint, options.cfg_options, **same)
        source = TestedModel(Path(options.transfer[0]).stem, *options.transfer) if options.transfer else None
        budget = Budget(options.epsilon, options.norm, options.frames, options.steps, options.restarts)
        with ProgressBar('attacking', 'clips', at_each_tenth) as bar:
            found = measure_attacks(model, budget, source=source, seed=options.seed, progress=bar)
        write_atomically((json.dumps(found.as_dict(), indent=1) + '\n').encode(), out)
        print(f'{found.as_text()}\n\nsaved in {out}')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('attack'),
        description='Accuracy on test clips that were changed to mislead the model: FGSM, PGD, and what another model '
        'finds.',
        epilog=EXITS,
    )
    parser.add_argument('config', help='a distillation config, or the plain student config')
    parser.add_argument(
        'checkpoint',
        help=f'of the student; or an exported file, {" or ".join(exported_suffixes())}, which needs --transfer',
    )
    parser.add_argument(
        '--transfer',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='another model that takes as many frames: the strongest attack on it is shown to the first, too',
    )
    parser.add_argument('--epsilon', type=float, default=2.0, help='what may change, in pixels of 0 to 255; 2')
    parser.add_argument(
        '--norm',
        choices=('linf', 'l2'),
        default='linf',
        help='linf: by each value; l2: by the length over a clip; linf',
    )
    parser.add_argument('--frames', type=int, help='how many frames of a clip may change; all by default')
    parser.add_argument('--steps', type=int, nargs='+', default=[10, 50], help='of PGD, an attack each; 10 50')
    parser.add_argument('--restarts', type=int, default=2, help='walks of PGD, of which each clip keeps the best; 2')
    parser.add_argument('--clips', type=int, default=0, help='test clips, spread over the set; 0: all')
    parser.add_argument('--seed', type=int, default=0, help='that random starts follow from; 0')
    parser.add_argument('--batch-size', type=int, help="clips at once; the test's by default")
    parser.add_argument('--workers', type=int, help="processes that load clips; the test's by default")
    parser.add_argument('--out', help=f"all numbers; {FOLDER}/<config's name>.json by default, which is replaced")
    parser.add_argument('--force', action='store_true', help='replace a file that is there')
    add_cfg_options(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
