import types

import pytest
import torch

from mmkd_video.compat import cpu_amp

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has a GPU: the break does not bite')

STEP = """
import torch
from mmengine.optim import AmpOptimWrapper
model = torch.nn.Linear(2, 1)
wrapper = AmpOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1), loss_scale='dynamic', {extra})
before = model.weight.detach().clone()
with wrapper.optim_context(model):
    output = model(torch.ones(1, 2))
wrapper.update_params(output.float().sum())
moved = (before - model.weight.detach()).mean().item()
wrapper.load_state_dict(wrapper.state_dict())
print(output.dtype, round(moved, 4), model.weight.dtype)
"""


def test_amp_asserts_a_gpu_without_and_runs_in_bfloat16_with(breaks_without, healthy_with):
    code = STEP.format(extra='')
    breaks_without(code, 'only available training')
    assert healthy_with(code).split()[-3:] == ['torch.bfloat16', '0.1', 'torch.float32']


def test_float16_on_cpu_is_still_refused(run_python):
    done = run_python('import mmkd_video\n' + STEP.format(extra="dtype='float16'"))
    assert 'only support `torch.bfloat16`' in done.stderr


def test_stands_aside_where_there_is_a_gpu(monkeypatch):
    class Wrapper:
        def __init__(self):
            pass

    original = Wrapper.__init__
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    cpu_amp._patch(types.SimpleNamespace(AmpOptimWrapper=Wrapper))
    assert Wrapper.__init__ is original
