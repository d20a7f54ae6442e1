"""Errors of this package's checks are mistakes by their type, and builtin errors too."""

import ast
import pickle
import zipfile
from pathlib import Path

import pytest

from mmkd_video.core import mistakes
from mmkd_video.core.mistakes import Mistake, SettingsError, WrongKeyError, WrongValueError, as_settings_errors

KINDS = [getattr(mistakes, name) for name in mistakes.__all__ if name.endswith('Error')]


@pytest.mark.parametrize('kind', KINDS)
def test_a_mistake_is_a_builtin_error_that_prints_as_its_text(kind):
    error = pickle.loads(pickle.dumps(kind("got 'x'; expected y")))
    assert isinstance(error, Mistake) and str(error) == "got 'x'; expected y"
    assert kind is SettingsError or kind.__mro__[2].__module__ == 'builtins'


def test_an_error_is_named_as_python_knows_it():
    errors = (WrongKeyError('x'), KeyError('x'), zipfile.BadZipFile('x'))
    assert [mistakes.name_of_kind(each) for each in errors] == ['KeyError', 'KeyError', 'BadZipFile']


def test_what_settings_make_others_raise_is_their_mistake():
    with pytest.raises(SettingsError, match='no such argument') as told, as_settings_errors():
        raise TypeError('no such argument')
    assert type(told.value.__cause__) is TypeError
    with pytest.raises(WrongValueError, match='own'), as_settings_errors():
        raise WrongValueError('own')


@pytest.mark.parametrize(('error', 'at_work'), [(TypeError, True), (RuntimeError, False)])
def test_a_failure_stays_what_it_is(error, at_work):
    with pytest.raises(error) as told, as_settings_errors(until=lambda: at_work):
        raise error('broken')
    assert type(told.value) is error


PACKAGE = Path(mistakes.__file__).parents[1]
BUILTINS = {kind.__mro__[2].__name__ for kind in KINDS if kind is not SettingsError}
PLAIN = {  # where a check raises a builtin error, and why
    'functional/labels.py': 'imports torch only',
    'compat/own_configs.py': 'it is read without the package, too',
    'compat/pickle_scan.py': 'its reader tells what is wrong with the file',
    'datasets/seeded.py': 'one more reason why a video cannot be read; caught where such videos are counted',
    'cli/doctor/probes.py': 'a finding of the doctor, not a mistake',
    'cli/doctor/promises.py': 'a finding of the doctor, not a mistake',
}


def plain_errors(source):
    """Return the lines in which a builtin error is raised or made."""
    for node in ast.walk(ast.parse(source)):
        made = node.func if isinstance(node, ast.Call) else node.exc if isinstance(node, ast.Raise) else None
        if isinstance(made, ast.Name) and made.id in BUILTINS:
            yield node.lineno


@pytest.mark.parametrize('line', ["raise ValueError('x')", 'raise KeyError', "error = OSError('x')"])
def test_a_builtin_error_is_seen(line):
    assert list(plain_errors(f'\n{line}')) == [2]


def test_every_check_raises_a_mistake():
    found = {
        path.relative_to(PACKAGE).as_posix(): list(plain_errors(path.read_text())) for path in PACKAGE.rglob('*.py')
    }
    assert {path: lines for path, lines in found.items() if lines and path not in PLAIN} == {}
    assert all(found[path] for path in PLAIN)
