"""What the options of tools may be, in the same words as the keys of configs."""

import argparse
from collections.abc import Callable

from mmkd_video.core.checked import Fraction, Kind, Number, Whole, table_of
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
        '--frames': Whole(1),
        '--gflops': Number(0, above=True),
        '--hop': Whole(1),
        '--interval': Whole(1),
        '--jobs': Whole(1),
        '--local_rank': Whole(0),
        '--max-drop': SHARE,
        '--max-rounds': Whole(1),
        '--max-ratio': Fraction(),
        '--memory-runs': Whole(0),
        '--pairs': Whole(1),
        '--pause': Number(0),
        '--queue': Whole(1),
        '--reconnect': Whole(0),
        '--requests': Whole(1),
        '--round-to': Whole(1),
        '--rounds': Whole(1),
        '--seed': Whole(0),
        '--seeds': Whole(0),
        '--shape': Whole(1),
        '--signal-grace': Number(0, above=True),
        '--smooth': Number(0, 1, below=True),
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
        '--wait-time': Number(0),
        '--warmup': Whole(0),
        '--workers': Whole(1),
    },
)


def checked_numbers(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Let a parser check all its numbers; one that is out of range is wrong usage.

    Args:
        parser: It is changed, and its subcommands with it.

    Raises:
        KeyError: The table lacks an option that takes a number.
    """
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                checked_numbers(inner)
        elif action.type in (int, float):
            name = next((each for each in action.option_strings if each in OPTIONS.kinds), None)
            if name is None:
                raise WrongKeyError(
                    f'{parser.prog} {action.option_strings or action.dest}: add it to the table of options'
                )
            action.type = _converter(action.type, OPTIONS.kinds[name])
    return parser


def _converter(number: type, kind: Kind) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            value = number(text)
        except ValueError:
            value = None
        if value is None or not kind.accepts(value):
            raise argparse.ArgumentTypeError(f'got {text!r}; expected {kind.expected}')
        return value

    return convert
