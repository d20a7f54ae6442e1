"""What ``--cfg-options`` can say, and what it says back."""

import argparse
import re

import pytest
from mmengine.config import Config

from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.recognizers.config import merge_cfg_options, to_arguments
from mmkd_video.workflows.train.prepare import resume_advice


def merged(*arguments, **settings):
    settings = settings or dict(model=dict(terms=[dict(type='KDLoss', at='logits', weight=1.0)], task_weight=1.0))
    config = Config(settings)
    merge_cfg_options(config, parsed(*arguments))
    return config


def parsed(*arguments):
    parser = argparse.ArgumentParser(prog='tool.py')
    add_cfg_options(parser)
    return parser.parse_args(['--cfg-options', *arguments]).cfg_options


@pytest.mark.parametrize(
    'text',
    [
        "[dict(type='FitNetLoss', at=('a.b', 'c'), weight=-0.5), dict(type='KDLoss', at='logits')]",
        "[{'type': 'FitNetLoss', 'at': ('a.b', 'c'), 'weight': -0.5}, {'type': 'KDLoss', 'at': 'logits'}]",
    ],
)
def test_a_list_of_dicts(text):
    terms = merged(f'model.terms={text}').model.terms
    assert terms == [dict(type='FitNetLoss', at=('a.b', 'c'), weight=-0.5), dict(type='KDLoss', at='logits')]
    assert terms[0].type == 'FitNetLoss'


def test_json_is_understood_too():
    config = merged('custom_hooks=[{"type": "QATHook", "begin": 1, "fast": true, "path": null}]')
    assert config.custom_hooks == [dict(type='QATHook', begin=1, fast=True, path=None)]


@pytest.mark.parametrize(
    'options',
    [
        ["model.task_weight=dict(type='Linear', begin=0, end=5)"],
        ['model.task_weight.begin=0', 'model.task_weight.type=Linear', 'model.task_weight.end=5'],
        ['model.task_weight={"type": "Linear", "begin": 0, "end": 5}'],
    ],
    ids=['whole', 'key by key', 'json'],
)
def test_a_number_gives_way_to_a_schedule(options):
    config = merged(*options)
    assert config.model.task_weight == dict(type='Linear', begin=0, end=5)
    assert config.model.terms[0].weight == 1.0


def test_places_in_lists_and_tuples():
    config = merged('a.1.b=2', 'a.0=x', 'c.1=y', 'a.2.0.d=dict(e=1)', a=[1, dict(b=1, c=1), (dict(d=0),)], c=('u', 'v'))
    assert config.a == ['x', dict(b=2, c=1), (dict(d=dict(e=1)),)] and config.c == ('u', 'y')


def test_dicts_are_merged_unless_told_otherwise():
    assert merged('a=dict(c=dict(e=3))', a=dict(b=1, c=dict(d=2))).a == dict(b=1, c=dict(d=2, e=3))
    assert merged('a=dict(_delete_=True, c=2)', a=dict(b=1)).a == dict(c=2)
    assert merged('prepare.data=x', prepare=None).prepare == dict(data='x')
    assert merged('new.key=[a,1,(2,3)]').new.key == ['a', 1, (2, 3)]


def test_what_is_inherited_by_two_keys_is_changed_in_one():
    shared = [dict(type='Resize', scale=1)]
    config = merged('loader.pipeline.0.scale=2', pipeline=shared, loader=dict(pipeline=shared))
    assert config.loader.pipeline[0].scale == 2 and config.pipeline[0].scale == 1


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('model.terms.1.weight=2', "model.terms.1: got '1' as a place in a list; expected 0 to 0"),
        ('model.terms.kd.weight=2', "model.terms.kd: got 'kd' as a place in a list; expected 0 to 0"),
        (
            'model.task_weight.begin=2',
            'model.task_weight is 1.0, which has no keys; to put a schedule or alike there, give its type too '
            '(model.task_weight.type=Linear)',
        ),
        ('model.terms.0.at.student=x', "model.terms.0.at is 'logits', which has no keys"),
    ],
)
def test_an_option_without_a_place_is_told_in_our_words(option, message):
    with pytest.raises(
        KeyError, match=re.escape(f'--cfg-options {option.partition("=")[0].rpartition(".")[0]}')
    ) as error:
        merged(option)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('lonely', "got 'lonely'; expected KEY=VALUE"),
        ('=1', "got '=1'; expected KEY=VALUE"),
        ('a..b=1', "got 'a..b=1'; expected KEY=VALUE"),
        ('a=[(1,2]', 'in which a bracket is missing'),
        ("a=[dict(type='X', b=open('y'))]", 'expected dicts and lists of plain values'),
        ("a=[dict(type='X']", 'expected dicts and lists of plain values'),
        ("a=dict(**{'b': 1})", 'expected dicts and lists of plain values'),
        ("a={**{'b': 1}}", 'expected dicts and lists of plain values'),
    ],
)
def test_an_option_that_cannot_be_read_is_a_wrong_argument(option, message, capsys):
    with pytest.raises(SystemExit) as stop:
        parsed(option)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and message in error and 'Traceback' not in error


def test_options_come_back_from_their_own_arguments():
    settings = dict(a=1, b=dict(c=[1, 'x', (2, 3)]), d=[dict(type='X', at=('a', 'b')), dict(type='Y')])
    assert merged(*to_arguments(settings), e=0).to_dict() == dict(settings, e=0)


def test_a_failed_training_says_whether_there_is_a_checkpoint(tmp_path):
    assert resume_advice(tmp_path) == 'It has no checkpoint yet: once that is mended, the same command begins anew.'
    (tmp_path / 'last_checkpoint').write_text('x')
    assert resume_advice(tmp_path) == 'Once that is mended, the same command goes on from its last checkpoint.'
