"""Errors of this package's checks are mistakes by their type, and builtin errors too."""

import pickle

import pytest

from mmkd_video.core import mistakes
from mmkd_video.core.mistakes import Mistake, SettingsError, WrongKeyError, WrongValueError, blaming_settings

KINDS = [getattr(mistakes, name) for name in mistakes.__all__ if name.endswith('Error')]


@pytest.mark.parametrize('kind', KINDS)
def test_a_mistake_is_a_builtin_error_that_prints_as_its_text(kind):
    error = pickle.loads(pickle.dumps(kind("got 'x'; expected y")))
    assert isinstance(error, Mistake) and str(error) == "got 'x'; expected y"
    assert kind is SettingsError or kind.__mro__[2].__module__ == 'builtins'


def test_an_error_is_named_as_python_knows_it():
    assert [mistakes.builtin_name(each) for each in (WrongKeyError('x'), KeyError('x'))] == ['KeyError'] * 2


def test_what_settings_make_others_raise_is_their_mistake():
    with pytest.raises(SettingsError, match='no such argument') as told, blaming_settings():
        raise TypeError('no such argument')
    assert type(told.value.__cause__) is TypeError
    with pytest.raises(WrongValueError, match='own'), blaming_settings():
        raise WrongValueError('own')


@pytest.mark.parametrize(('error', 'at_work'), [(TypeError, True), (RuntimeError, False)])
def test_a_failure_stays_what_it_is(error, at_work):
    with pytest.raises(error) as told, blaming_settings(until=lambda: at_work):
        raise error('broken')
    assert type(told.value) is error
