from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import CosineAnnealingLR, build_optim_wrapper
from torch import nn

from mmkd_video.hooks import QATHook


@pytest.mark.parametrize('keys', [{}, {'1': dict(lr_mult=0.1)}], ids=['one group', 'many groups'])
def test_quantizers_keep_their_own_rate_while_a_schedule_moves_all(keys):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    settings = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1.0))
    wrapper = build_optim_wrapper(model, dict(settings, paramwise_cfg=dict(custom_keys=keys)) if keys else settings)
    scheduler = CosineAnnealingLR(wrapper, T_max=2)
    runner = SimpleNamespace(optim_wrapper=wrapper, param_schedulers=[scheduler])
    QATHook(lr_mult=0.01)._add_group(runner, [nn.Parameter(torch.ones(()))])
    for _ in range(4):
        wrapper.optimizer.step()
        scheduler.step()
    rates = [group['lr'] for group in wrapper.optimizer.param_groups]
    assert rates[0] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.01)
