"""MMEngine's own keys are read for slips before anything is built."""

import pytest
from mmengine.config import Config

from mmkd_video.recognizers.config import merge_cfg_options
from mmkd_video.recognizers.config_keys import check_config

SLIPS = [
    ('train_cfg', dict(max_epoch=3), r"train_cfg\.max_epoch: got 3; expected a key of .*did you mean 'max_epochs'"),
    (
        'param_scheduler',
        [dict(type='StepLR', step_size='x')],
        r"param_scheduler\.0\.step_size: got 'x'",
    ),
    ('param_scheduler', dict(type='StepLR', begin='x'), r"param_scheduler\.begin: got 'x'; expected a number"),
    ('default_hooks', dict(checkpoint=dict(interval='x')), r"default_hooks\.checkpoint\.interval: got 'x'"),
    ('auto_scale_lr', 'x', r"auto_scale_lr: got 'x'; expected dict"),
    ('val_cfg', 7, r'val_cfg: got 7; expected dict'),
]


@pytest.mark.parametrize(('key', 'value', 'message'), SLIPS)
def test_a_slip_in_mmengines_own_keys_is_named(key, value, message):
    with pytest.raises(ValueError, match=message):
        check_config(Config({'model': dict(type='A'), key: value}))
    check_config(Config(dict(model=dict(type='A'), train_cfg=dict(type='Mine', rounds=3))))  # a loop of one's own


def test_an_option_that_is_nearly_a_key_of_the_config_is_refused():
    config = Config(dict(model=dict(type='A'), optim_wrapper=dict(type='OptimWrapper')))
    with pytest.raises(KeyError, match="the config has no 'optim_wraper'; did you mean 'optim_wrapper'"):
        merge_cfg_options(config, {'optim_wraper.optimizer.lr': 0.1})
    merge_cfg_options(config, {'randomness.seed': 3})
    assert config.randomness.seed == 3


def test_a_slip_in_a_name_of_mmengine_is_told():
    settings = dict(model=dict(type='Recognizer2D'), optim_wraper=dict(optimizer=dict(type='SGD', lr=0.1)))
    with pytest.raises(KeyError, match='optim_wraper: got a key that nothing reads; expected optim_wrapper'):
        check_config(Config(settings))
    check_config(Config(dict(settings, optim_wrapper=settings['optim_wraper'])))  # a variable of somebody's own
    check_config(Config(dict(model=dict(type='Recognizer2D'), train_pipeline=[], teacher='a.py', root='clips')))
