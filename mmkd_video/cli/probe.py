"""The command line of ``tools/probe.py``."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_interrupt
from mmkd_video.cli.mistakes import EXITS, exit_on_mistake
from mmkd_video.core.command_line import program_of
from mmkd_video.core.files.new import expect_new
from mmkd_video.core.mistakes import WrongValueError, as_settings_errors
from mmkd_video.core.progress_bar import ProgressBar, at_each_tenth
from mmkd_video.core.text_table import aligned
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.probe.probing import HEADS, LEARNING_RATES, WEIGHT_DECAYS, Probed, probe_of, train_probe


def main(arguments: Sequence[str] | None = None) -> None:
    """Train a probe as the command line says."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    hint = 'the same command goes on after the last state that was saved'
    with exit_on_interrupt(parser, hint), exit_on_mistake(parser):
        with as_settings_errors():
            config = read_config(options.config, options.cfg_options)
            name, teacher = probe_of(config, options.teacher_name)
        out = options.out or teacher.get('probe')
        if out is None:
            raise WrongValueError(
                '--out: got none; expected the file of the probe, here or as '
                f"{name}=dict(type='ProbedTeacher', probe=...)"
            )
        expect_new('--out', Path(out), options.force)
        with ProgressBar('probing', 'batches', at_each_tenth) as bar:
            done = train_probe(
                config,
                out,
                teacher=name,
                head=options.head,
                tap=options.tap,
                epochs=options.epochs,
                learning_rates=options.lr,
                weight_decays=options.weight_decay,
                seed=options.seed,
                batch_size=options.batch_size,
                workers=options.workers,
                may_prepare=not options.no_prepare,
                progress=bar,
            )
        print('\n'.join(_table(done)))
        print(
            f'{out} holds the best, of learning rate {done.best.point.learning_rate:g} and weight decay '
            f'{done.best.point.weight_decay:g}: {done.best.accuracy:.1%} of {done.validated} validation clips, on '
            f'which it was chosen; chance is {1 / len(done.classes):.1%}'
        )


def _table(done: Probed) -> list[str]:
    rows = [['learning rate', 'weight decay', 'training loss', 'validation loss', 'validation accuracy']]
    for each in done.tried:
        figures = [f'{each.training_loss:.3f}', f'{each.loss:.3f}', f'{each.accuracy:.1%}']
        shown = figures if math.isfinite(each.loss) else ['diverged', '', '']
        rows.append([f'{each.point.learning_rate:g}', f'{each.point.weight_decay:g}', *shown])
    return aligned(rows, left=0)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('probe'),
        description="Train heads on the frozen encoder of a distillation's teacher, with the labels of its training "
        'set: all learning rates and weight decays at once. The best on the validation set becomes the probe of a '
        'ProbedTeacher. In one process.',
        epilog='Started again, it goes on after the last state that was saved; ' + EXITS,
    )
    parser.add_argument('config', help='of the distillation, with the encoder as its teacher')
    parser.add_argument('--out', help="file of the probe; the one that the config's ProbedTeacher names by default")
    parser.add_argument('--head', choices=HEADS, default='attentive', help='kind of the probe; attentive')
    parser.add_argument('--tap', help="place in the encoder that is read; its tokens, or its backbone's output")
    parser.add_argument('--epochs', type=int, default=20, help='passes over the training clips; 20')
    parser.add_argument('--lr', type=float, nargs='+', default=LEARNING_RATES, help='learning rates of the grid')
    parser.add_argument('--weight-decay', type=float, nargs='+', default=WEIGHT_DECAYS, help='decays of the grid')
    parser.add_argument('--teacher-name', metavar='NAME', help='which of several teachers; the only one by default')
    parser.add_argument('--seed', type=int, help="that all that is random follows from; the config's by default")
    parser.add_argument('--batch-size', type=int, help="clips at once; the training's by default")
    parser.add_argument('--workers', type=int, help="processes that load clips; the training's by default")
    parser.add_argument('--no-prepare', action='store_true', help='neither render clips nor train the teacher first')
    parser.add_argument('--force', action='store_true', help='replace a probe that is there')
    add_cfg_options(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
