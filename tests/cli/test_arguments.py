"""No option of a tool is unchecked: the table holds all that take something, numbers and words."""

import argparse
import importlib
import pkgutil

import pytest

from mmkd_video import cli
from mmkd_video.cli.arguments import TEXTS, _Converter, checked_options
from mmkd_video.core.checked import Anything

MODULES = [importlib.import_module(f'{cli.__name__}.{found.name}') for found in pkgutil.iter_modules(cli.__path__)]
PROGRAMS = [module for module in MODULES if hasattr(module, 'main')]


def actions(parser):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from actions(inner)
        elif action.nargs != 0:
            yield action


@pytest.mark.parametrize('program', PROGRAMS, ids=lambda module: module.__name__.rpartition('.')[2])
def test_every_option_that_takes_something_is_checked(program):
    for action in actions(program.build_parser()):
        elsewhere = isinstance(TEXTS.kinds.get((action.option_strings or [action.dest])[0]), Anything)
        assert isinstance(action.type, _Converter) or elsewhere, action.option_strings or action.dest


@pytest.mark.parametrize('more', [{}, dict(type=int), dict(nargs='+'), dict(type=str.upper)])
def test_an_option_without_an_entry_cannot_be_added(more):
    parser = argparse.ArgumentParser(prog='tool')
    parser.add_argument('--new', **more)
    with pytest.raises(KeyError, match=r"tool \['--new'\]: add it to the table of options"):
        checked_options(parser)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--out', ''], "argument --out: got ''; expected the path of a file"),
        (['--way', 'b4ck'], "argument --way: got 'b4ck'; expected 'forth' or 'back'; did you mean 'back'?"),
        (['--work-dir', ' '], "argument --work-dir: got ' '; expected the path of a folder"),
        (['--epochs', '0'], "argument --epochs: got '0'; expected a whole number of at least 1"),
    ],
)
def test_a_wrong_word_is_told_like_a_wrong_key(words, message, capsys):
    parser = argparse.ArgumentParser(prog='tool')
    for name, more in (('--out', {}), ('--way', dict(choices=('forth', 'back'))), ('--work-dir', {})):
        parser.add_argument(name, **more)
    parser.add_argument('--epochs', type=int)
    with pytest.raises(SystemExit) as end:
        checked_options(parser).parse_args(words)
    told = capsys.readouterr().err
    assert end.value.code == 2 and message in told and '--way {forth,back}' in told
