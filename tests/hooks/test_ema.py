"""MMEngine's EMAHook beside a distillation: the average is the plain student's."""

import clips
import pytest
import tiny
import torch
from mmengine.hooks import Hook

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS

MOMENTUM = 0.25
AVERAGED = 'backbone.conv1.conv.weight'


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=4)


class Watch(Hook):
    """Keep the trained weights of each step, and those that a validation is made with."""

    def __init__(self):
        self.trained, self.validated = [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.trained.append(runner.model.state_dict()[AVERAGED].clone())

    def after_train(self, runner):
        self.trained.append(runner.model.state_dict()[AVERAGED].clone())

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        self.validated.append(runner.model.state_dict()[AVERAGED].clone())


def train(videos, folder, name, epochs=2, ema=True, **extra):
    hooks = [dict(type='EMAHook', momentum=MOMENTUM)] if ema else []
    settings = dict(hooks=hooks, train_cfg=dict(max_epochs=epochs), param_scheduler=[], **extra)
    runner, watch = tiny.runner(videos, folder, name, **settings), Watch()
    runner.register_hook(watch)
    runner.train()
    return runner, watch


@pytest.mark.slow
def test_the_average_is_validated_and_saved_and_the_training_is_that_of_the_plain_run(videos, tmp_path):
    plain, ours = (train(videos, tmp_path / name, name, ema=name == 'ema')[1] for name in ('plain', 'ema'))
    assert all(torch.equal(a, b) for a, b in zip(ours.trained[:-1], plain.trained[:-1], strict=True))
    average = ours.trained[1].clone()  # it begins as the weights after the first step
    for weights in ours.trained[2:4]:
        average.lerp_(weights, MOMENTUM)
    average.lerp_(plain.trained[-1], MOMENTUM)
    assert torch.allclose(ours.validated[-1], average, atol=1e-6)
    assert not torch.allclose(ours.validated[-1], plain.trained[-1], atol=1e-6)
    saved = safe_load.load(tmp_path / 'ema' / 'epoch_2.pth')
    assert torch.allclose(saved['state_dict'][AVERAGED], average, atol=1e-6)
    MODELS.build(tiny.recognizer()).load_state_dict(saved['state_dict'], strict=True)
    assert set(saved['ema_state_dict']) == {'steps', *(f'module.{key}' for key in saved['state_dict'])}
    train(videos, tmp_path / 'parts', 'first', epochs=1)
    train(videos, tmp_path / 'parts', 'again', resume=True)
    again = safe_load.load(tmp_path / 'parts' / 'epoch_2.pth')
    for part in ('state_dict', 'ema_state_dict', 'training_state'):
        assert all(torch.equal(again[part][key], value) for key, value in saved[part].items()), part
