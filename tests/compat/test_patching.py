import sys
import types

import pytest

from mmkd_video.compat.patching import after_import, replaced, wrap


@pytest.fixture
def module_on_path(tmp_path, monkeypatch):
    (tmp_path / 'patched_later.py').write_text('VALUE = 1\ndef double(x):\n    return 2 * x\n')
    monkeypatch.syspath_prepend(tmp_path)
    yield 'patched_later'
    sys.modules.pop('patched_later', None)


def test_calls_back_after_the_import_and_only_then(module_on_path):
    seen = []
    after_import(module_on_path, lambda module: seen.append(module.VALUE))
    assert seen == []
    __import__(module_on_path)
    assert seen == [1]


def test_calls_back_at_once_for_an_imported_module():
    seen = []
    after_import('json', lambda module: seen.append(module.__name__))
    assert seen == ['json']


def test_the_same_callback_waits_once(module_on_path):
    seen = []

    def callback(module):
        seen.append(module.__name__)

    after_import(module_on_path, callback)
    after_import(module_on_path, callback)
    __import__(module_on_path)
    assert seen == [module_on_path]


def test_the_module_keeps_its_loader(module_on_path):
    after_import(module_on_path, lambda module: None)
    __import__(module_on_path)
    assert type(sys.modules[module_on_path].__loader__).__name__ == 'SourceFileLoader'


def test_a_missing_module_still_fails_to_import():
    after_import('no_such_module_anywhere', lambda module: None)
    with pytest.raises(ModuleNotFoundError, match='no_such_module_anywhere'):
        __import__('no_such_module_anywhere')


def test_wraps_once_and_keeps_the_original():
    owner = types.SimpleNamespace(double=lambda x: 2 * x)
    original = owner.double

    def plus_one(function):
        return lambda x: function(x) + 1

    for _ in range(2):
        wrap(owner, 'double', plus_one)
    assert owner.double(3) == 7
    assert owner.double.__wrapped__ is original


def test_two_patches_of_one_function_both_hold():
    owner = types.SimpleNamespace(double=lambda x: 2 * x)

    def plus_one(function):
        return lambda x: function(x) + 1

    def times_ten(function):
        return lambda x: function(x) * 10

    for _ in range(2):
        wrap(owner, 'double', plus_one)
        wrap(owner, 'double', times_ten)
    assert owner.double(3) == 70


def test_wraps_static_and_class_methods_as_what_they_are():
    class Owner:
        @staticmethod
        def static(x):
            return x

        @classmethod
        def of_class(cls, x):
            return cls.__name__, x

    wrap(Owner, 'static', lambda function: lambda x: function(x) + 1)
    wrap(Owner, 'of_class', lambda function: lambda cls, x: function(cls, x + 1))
    assert Owner.static(1) == 2
    assert Owner().of_class(1) == ('Owner', 2)


def test_replaced_puts_back_what_was_there_after_an_error_too():
    owner = types.SimpleNamespace(value=1)
    with pytest.raises(ValueError, match='inside'), replaced(owner, 'value', 2):
        assert owner.value == 2
        raise ValueError('inside')
    assert owner.value == 1
