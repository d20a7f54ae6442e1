"""What each kind of setting takes, and what is said of what it does not take."""

import math
from collections.abc import Mapping, Sequence

import pytest

from mmkd_video.core.checked import (
    AnyOf,
    Flag,
    Fraction,
    ListOf,
    Number,
    OneOf,
    Optional,
    Scheduled,
    Settings,
    Text,
    Whole,
    checked,
    keys_of,
)

TAKEN = [
    (Number(), [0, -1.5, 1e12]),
    (Number(0), [0, 2.5]),
    (Fraction(), [0.5]),
    (Whole(1), [1, 7]),
    (Flag(), [True, False]),
    (Text(), ['a']),
    (OneOf('a', False), ['a', False]),
    (Optional(Whole(0)), [None, 0]),
    (ListOf(Whole(0)), [[], [1], (1, 2)]),
    (Settings(needs=('type',)), [dict(type='x')]),
    (Scheduled(Number(0)), [0.5, dict(type='Linear')]),
]
REFUSED = [
    (Number(0), -1, 'a number of at least 0'),
    (Number(0), True, 'a number of at least 0'),
    (Number(0), math.nan, 'a number of at least 0'),
    (Number(0), 1e300, 'a number of at least 0; nothing may be larger than 1e+12'),
    (Number(), 'x', 'a number'),
    (Number(), None, 'a number'),
    (Fraction(), 1, 'a number above 0 and below 1'),
    (Whole(1), 1.0, 'a whole number of at least 1'),
    (Whole(1), 10**30, 'a whole number of at least 1; nothing may be larger than 2.14748e+09'),
    (Flag(), 1, 'True or False'),
    (Flag(), 'yes', 'True or False'),
    (Text(), '  ', 'text'),
    (OneOf('own', 'student'), 'studnet', "'own' or 'student'; did you mean 'student'?"),
    (OneOf(1, 2, 3), True, '1, 2 or 3'),
    (Optional(Whole(0), 'all'), 'x', 'a whole number of at least 0 or None (all)'),
    (ListOf(Whole(0)), 'x', 'a list, each a whole number of at least 0'),
    (ListOf(Whole(0), least=1), [], 'a list of at least 1, each a whole number of at least 0'),
    (Settings('dict(type=...)', needs=('type',)), {}, 'dict(type=...)'),
]


@pytest.mark.parametrize(('kind', 'values'), TAKEN, ids=str)
def test_a_kind_takes_what_can_be_meant(kind, values):
    for value in values:
        kind.check('key', value)


@pytest.mark.parametrize(('kind', 'value', 'expected'), REFUSED, ids=str)
def test_a_message_names_key_value_and_what_is_expected(kind, value, expected):
    with pytest.raises(ValueError) as refused:
        kind.check('part.key', value)
    assert str(refused.value) == f'part.key: got {value!r}; expected {expected}'


def test_an_item_of_a_list_is_named_by_its_place():
    with pytest.raises(ValueError, match=r"sizes\[1\]: got 'x'; expected a whole number of at least 1"):
        ListOf(Whole(1)).check('sizes', [1, 'x'])


def test_a_long_value_is_cut_off_and_told_in_one_line():
    with pytest.raises(ValueError) as refused:
        Whole(1).check('key', ['\n' * 500])
    assert len(str(refused.value)) < 200 and '\n' not in str(refused.value)


@pytest.mark.parametrize(
    ('annotation', 'expected'),
    [
        (bool, Flag()),
        (int, Whole()),
        (float, Number()),
        (str | None, 'text or None'),
        (Sequence[int], ListOf(Whole())),
        (tuple[float, ...], ListOf(Number())),
        (Mapping[str, int], Settings()),
        (float | Mapping, AnyOf(Number(), Settings())),
    ],
)
def test_an_annotation_says_what_an_argument_may_be(annotation, expected):
    def call(value):
        pass

    call.__annotations__['value'] = annotation
    kind = keys_of(call).kinds['value']
    assert kind == expected or kind.expected == expected


@checked(begin=Whole(0))
class Clock:
    def __init__(self, begin: int = 0):
        self.begin = begin


@checked()
class Timer(Clock):
    def __init__(self, name: str, **clock):
        super().__init__(**clock)
        self.name = name


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (dict(name='a', begin=-1), ValueError, 'Timer.begin: got -1; expected a whole number of at least 0'),
        (dict(name=3), ValueError, 'Timer.name: got 3; expected text'),
        (dict(), ValueError, 'Timer.name: got nothing; expected text; it must be given'),
        (dict(name='a', begun=1), KeyError, r"Timer: got the unknown key 'begun'; expected .*did you mean 'begin'\?"),
        (dict(name='a', x=1), KeyError, r"Timer: got the unknown key 'x'; expected .*; take it out"),
    ],
)
def test_arguments_are_checked_whenever_a_class_is_built(arguments, error, message):
    assert Timer('a', begin=2).begin == 2
    with pytest.raises(error, match=message):
        Timer(**arguments)


def test_a_kind_is_told_for_arguments_alone():
    with pytest.raises(TypeError, match="Clock has no \\['ende'\\]"):
        keys_of(type('Clock', (), {'__init__': lambda self, end=1: None}), dict(ende=Whole()))
