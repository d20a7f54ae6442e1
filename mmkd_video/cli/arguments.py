"""Checks of the options of tools, with the same messages as for keys of configs."""

import argparse
from collections.abc import Callable
from numbers import Real
from typing import Any

from mmkd_video.core.checked import Anything, Fraction, Kind, Number, OneOf, Text, Whole, table_of
from mmkd_video.core.mistakes import WrongKeyError

SHARE = Number(0, 1)
OPTIONS = table_of(
    'tools',
    {
        '--batch-size': Whole(1),
        '--calibration': Whole(1),
        '--clips': Whole(0),
        '--decoder-threads': Whole(1),
        '--epochs': Whole(1),
        '--epsilon': Number(0, above=True),
        '--false-alarms': Fraction(),
        '--frames': Whole(1),
        '--generations': Whole(1),
        '--gflops': Number(0, above=True),
        '--hop': Whole(1),
        '--interval': Whole(1),
        '--jobs': Whole(1),
        '--local_rank': Whole(0),
        '--max-drop': SHARE,
        '--max-rounds': Whole(1),
        '--max-ratio': Fraction(),
        '--memory-runs': Whole(0),
        '--num-folds': Whole(1),
        '--lr': Number(0, above=True),
        '--pairs': Whole(1),
        '--pause': Number(0),
        '--processes': Whole(2),
        '--queue': Whole(1),
        '--reconnect': Whole(0),
        '--requests': Whole(1),
        '--restarts': Whole(1),
        '--round-to': Whole(1),
        '--rounds': Whole(1),
        '--same-frames': Whole(1),
        '--seed': Whole(0),
        '--seeds': Whole(0),
        '--severities': Whole(1, 5),
        '--shape': Whole(1),
        '--signal-grace': Number(0, above=True),
        '--smooth': Number(0, 1, below=True),
        '--steps': Whole(1),
        '--target-drop': Number(),
        '--target-flops': Fraction(),
        '--target-latency': Fraction(),
        '--target-params': Fraction(),
        '--target-speedup': Number(0, above=True),
        '--threads': Whole(1),
        '--timeout': Number(0, above=True),
        '--topk': Whole(1),
        '--tuning-seeds': Whole(0),
        '--validation': Whole(1),
        '--videos': Whole(1),
        '--views': Whole(1),
        '--wait-time': Number(0),
        '--warmup': Whole(0),
        '--watch-windows': Whole(2),
        '--weight-decay': Number(0),
        '--workers': Whole(1),
    },
)

FILE, FOLDER = Text('the path of a file'), Text('the path of a folder')
CONFIG = Text("the path of a config, or 'mmaction::...'")
TEXTS = table_of(
    'texts of tools',
    {
        '--add-seeds': Anything('seeds_in'),
        '--annotate': FILE,
        '--backend': Text('the name of a runtime'),
        '--baseline': CONFIG,
        '--batch': Anything('batch_size'),
        '--calibrate': FILE,
        '--cfg-options': Anything('OptionAction'),
        '--checkpoint': FILE,
        '--corruptions': Text('the name of a corruption'),
        '--custom-imports': Text('the name of a module'),
        '--data-root': FOLDER,
        '--device': Text('a device such as cpu or cuda:0'),
        '--dump': FILE,
        '--features': Text('STUDENT_TAP:TEACHER_TAP'),
        '--freeze': Text('names of modules or patterns, joined by commas'),
        '--file': Text('NAME OF FILE'),
        '--folds': Text('KEY=VALUE or the path of a folder'),
        '--format': Text('the name of a format'),
        '--grid': Text('KEY=V1,V2'),
        '--int8': Text('the name of a model'),
        '--keep': Text('the name of a layer'),
        '--metric': Text('the name of a metric'),
        '--model': Anything('whoever opens it'),
        '--beside': Anything('whoever opens it'),
        '--out': FILE,
        '--pick': Text('the name of a proposal'),
        '--picture': FILE,
        '--pictures': FOLDER,
        '--prefix': Anything('no text is a prefix too'),
        '--publish': FILE,
        '--reference': Text('the name of a model'),
        '--report': FILE,
        '--resume': FILE,
        '--runtimes': Text('the name of a runtime'),
        '--seeds': Anything('seeds_in'),
        '--show-dir': FOLDER,
        '--student': CONFIG,
        '--tap': Text('the name of a tap'),
        '--taps': Text('the name of a tap'),
        '--teacher': CONFIG,
        '--teacher-name': Text('the name of a teacher'),
        '--transfer': Anything('whoever opens it'),
        '--tuning-seeds': Anything('seeds_in'),
        '--video': FILE,
        '--watch': FILE,
        '--work-dir': FOLDER,
        'checkpoint': FILE,
        'config': CONFIG,
        'configs': CONFIG,
        'root': FOLDER,
        'run': FOLDER,
        'source': Anything('whoever opens it'),
        'work_dirs': FOLDER,
    },
)


def checked_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Make a parser check all that is given to it; what cannot be meant is a usage error.

    The values of an option with choices are these; those of all others stand in the table.

    Args:
        parser: Parser to change, and its subcommands with it.

    Raises:
        KeyError: The table lacks an option.
    """
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                checked_options(inner)
        elif action.nargs != 0:  # flags take nothing
            kind = _kind_of(parser, action)
            if not isinstance(kind, Anything):
                action.type = _Converter(action.type or str, kind)
    return parser


def _kind_of(parser: argparse.ArgumentParser, action: argparse.Action) -> Kind:
    if action.choices is not None:
        choices, action.choices = list(action.choices), None
        action.metavar = action.metavar or f'{{{",".join(choices)}}}'
        return OneOf(*choices)
    table = OPTIONS if action.type in (int, float) else TEXTS
    name = next((each for each in (*action.option_strings, action.dest) if each in table.kinds), None)
    if name is None:
        raise WrongKeyError(f'{parser.prog} {action.option_strings or action.dest}: add it to the table of options')
    return table.kinds[name]


class _Converter:
    """Reads the text of an option and checks what it says.

    Args:
        read: Function that takes the text.
        kind: Kind of value that is accepted.
    """

    def __init__(self, read: Callable[[str], Any], kind: Kind) -> None:
        self.read, self.kind = read, kind

    def __call__(self, text: str) -> Any:
        """Return what a text says.

        Raises:
            ArgumentTypeError: It cannot be meant.
        """
        try:
            value = self.read(text)
        except ValueError:
            value = None
        # Path('') is '.', so that a text is looked at itself
        if value is None or not self.kind.accepts(value if isinstance(value, Real) else text):
            hint = self.kind.hint(text)
            raise argparse.ArgumentTypeError(
                f'got {text!r}; expected {self.kind.expected}{f"; {hint}" if hint else ""}'
            )
        return value
