"""Wrong settings, each key with each kind of mistake: the message names the key, what was got and what is expected."""

import copy
import inspect
import math

import pytest
from mmengine.config import Config

from mmkd_video import losses
from mmkd_video.core.checked import TABLE, keys_of
from mmkd_video.core.checked.keys import _CHECKED
from mmkd_video.core.checked.kinds import short_repr
from mmkd_video.recognizers.config_keys import check_config
from mmkd_video.recognizers.libraries import read_library_model
from mmkd_video.recognizers.stages import stages_of
from mmkd_video.terms import TermSpec
from mmkd_video.workflows.compress.compress import pruning_config
from mmkd_video.workflows.compress.settings import expect_blocks, read_settings
from mmkd_video.workflows.compress.work import CompressionWork
from mmkd_video.workflows.refresh.settings import read_settings as read_refresh
from mmkd_video.workflows.train import prepare

CANDIDATES = {
    'another type': (object, 'x', 7.5, [{}]),
    'none': (None,),
    'negative': (-3,),
    'huge': (1e300,),
    'huge whole number': (10**30,),
    'no number': (math.nan,),
    'empty': ('',),
}
LOSSES = [getattr(losses, name) for name in losses.__all__ if name.endswith('Loss')]
CLASSES = {keys.name: built for built, keys in _CHECKED.items() if not inspect.isabstract(built)}


def wrong_values(kind):
    """Return values that cannot be meant, by the kind of the mistake."""
    found = {}
    for mistake, values in CANDIDATES.items():
        wrong = [value for value in values if not kind.accepts(value)]
        if wrong:
            found[mistake] = wrong[0]
    return found


def nested(key, value):
    for part in reversed(key.split('.')):
        value = {part: value}
    return value


def as_config(key, value):
    config = Config(dict(model=dict(type='Recognizer2D')))
    head, _, rest = key.partition('.')
    config[head] = nested(rest, value) if rest else value
    if head.endswith('dataloader') and rest != 'dataset' and rest:
        config[head].setdefault('dataset', dict(type='VideoDataset'))
    if key.startswith('optim_wrapper.optimizer.'):
        config.optim_wrapper.optimizer.type = 'SGD'
    return config


def of_term(key, value):
    return TermSpec.parse({**dict(type='KDLoss', at='logits'), key: value}, 0)


def of_compress(values):
    config = Config(dict(model=dict(type='Distiller', teacher=dict(config='t.py')), compress=values), filename=None)
    read_settings(config)


def of_stage(key, value):
    stages = [{'name': 'distil', key: value}, dict(name='finetune')]
    stages_of(Config(dict(model=dict(type='Distiller', student={}), train_cfg=dict(max_epochs=1), stages=stages)))


def of_refresh(key, value):
    read_refresh(Config(dict(model=dict(type='Distiller'), refresh={key: value})))


DOORS = {
    'stages': of_stage,
    'term': lambda key, value: of_term(key, value),
    'prepare': lambda key, value: prepare.needed_parts(Config(dict(prepare={key: value}))),
    'refresh': of_refresh,
    'compress': lambda key, value: of_compress({key: value}),
    'compress.prune': lambda key, value: pruning_config(CompressionWork(Config(), dict(prune={key: value}), None)),
    **{
        f'compress.{stage}': lambda key, value, stage=stage: expect_blocks({stage: {key: value}})
        for stage in ('export', 'quantize', 'benchmark')
    },
    'config': lambda key, value: check_config(as_config(key, value)),
    'hf': lambda key, value: read_library_model({'source': 'hf::folder', key: value}),
    'module': lambda key, value: read_library_model(
        dict(source='module::a:b', frames=1, size=8, mean=[0.0] * 3, std=[1.0] * 3) | {key: value}
    ),
}
PARTS = {part: keys for part, keys in TABLE.items() if part in DOORS or part in CLASSES}
CASES = [
    pytest.param(part, key, value, id=f'{part}-{key}-{mistake}')
    for part, keys in PARTS.items()
    for key, kind in keys.kinds.items()
    for mistake, value in (wrong_values(kind) if (part, key) != ('term', 'at') else dict(number=7, none=None)).items()
]
LOSS_CASES = [
    pytest.param(loss, key, value, id=f'{loss.__name__}-{key}-{mistake}')
    for loss in LOSSES
    for key, kind in keys_of(loss).kinds.items()
    for mistake, value in wrong_values(kind).items()
]


def refused_by(call, *arguments):
    """Return the message of a mistake, which is told in one line."""
    with pytest.raises((ValueError, KeyError)) as refused:
        call(*arguments)
    message = refused.value.args[0]
    assert '\n' not in message
    return message


@pytest.mark.parametrize(('part', 'key', 'value'), CASES)
def test_a_wrong_value_is_named(part, key, value):
    door = DOORS.get(part) or (lambda key, value: CLASSES[part](**{key: value}))
    message = refused_by(door, key, copy.deepcopy(value))
    assert key in message and f'got {short_repr(value)}' in message and 'expected ' in message


@pytest.mark.parametrize('part', [part for part in PARTS if part != 'config'])
def test_an_unknown_key_is_named(part):
    door = DOORS.get(part) or (lambda key, value: CLASSES[part](**{key: value}))
    if PARTS[part].more and part != 'term':  # what it does not know goes to a class of MMAction2
        return
    message = refused_by(door, 'bogus', 1)
    assert "'bogus'" in message and 'got the unknown' in message and 'expected ' in message


@pytest.mark.parametrize(('loss', 'key', 'value'), LOSS_CASES)
def test_a_wrong_argument_of_a_loss_is_named(loss, key, value):
    at = ['logits'] if loss.multi_layer else 'logits'
    message = refused_by(TermSpec.parse, {'type': loss, 'at': at, key: value}, 0)
    assert f'terms[0].{key}: got {short_repr(value)}; expected ' in message


@pytest.mark.parametrize('loss', LOSSES)
def test_an_unknown_argument_of_a_loss_is_named(loss):
    message = refused_by(TermSpec.parse, dict(type=loss, at='logits', bogus=1), 0)
    assert f"terms[0]: got the unknown argument 'bogus' of {loss.__name__}; expected " in message


def test_there_are_as_many_cases_as_promised():
    assert len(CASES) + len(LOSS_CASES) > 450
