import mmengine.optim
import mmengine.runner.runner
import pytest
import torch
from mmengine.optim.optimizer import builder

import mmkd_video.compat  # noqa: F401

CFG = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
HOLDERS = (mmengine.optim, mmengine.optim.optimizer, builder, mmengine.runner.runner)


class Whole(torch.nn.Module):
    """A model of which only one part is to be trained."""

    def __init__(self):
        super().__init__()
        self.part = torch.nn.Linear(2, 2)
        self.rest = torch.nn.Linear(2, 2)
        self.asked = 0

    def build_optim_wrapper(self, cfg):
        self.asked += 1
        return mmengine.optim.build_optim_wrapper(self.part, cfg)


class AsksForItself(Whole):
    def build_optim_wrapper(self, cfg):
        self.asked += 1
        return mmengine.optim.build_optim_wrapper(self, cfg)


def parameters(wrapper):
    return {id(p) for group in wrapper.optimizer.param_groups for p in group['params']}


@pytest.mark.parametrize('holder', HOLDERS, ids=lambda holder: holder.__name__)
def test_a_model_that_wants_to_is_asked(holder):
    model = Whole()
    wrapper = holder.build_optim_wrapper(model, CFG)
    assert parameters(wrapper) == {id(p) for p in model.part.parameters()}
    assert model.asked == 1


def test_the_stock_builder_does_not_ask_and_stays_reachable():
    model = Whole()
    wrapper = builder.build_optim_wrapper.__wrapped__(model, CFG)
    assert parameters(wrapper) == {id(p) for p in model.parameters()}
    assert model.asked == 0


def test_every_other_model_goes_the_stock_way():
    model = torch.nn.Linear(2, 2)
    cfg = dict(CFG)
    wrapper = mmengine.optim.build_optim_wrapper(model, cfg)
    assert parameters(wrapper) == {id(p) for p in model.parameters()}
    assert cfg == CFG


def test_a_model_that_asks_for_itself_does_not_recurse():
    model = AsksForItself()
    wrapper = mmengine.optim.build_optim_wrapper(model, CFG)
    assert parameters(wrapper) == {id(p) for p in model.parameters()}
    assert model.asked == 1


def test_a_model_is_asked_again_after_it_failed():
    class Fails(Whole):
        def build_optim_wrapper(self, cfg):
            self.asked += 1
            raise ValueError('no such constructor')

    model = Fails()
    for _ in range(2):
        with pytest.raises(ValueError, match='no such constructor'):
            mmengine.optim.build_optim_wrapper(model, CFG)
    assert model.asked == 2


def test_a_model_inside_a_wrapper_is_asked():
    from mmengine.registry import MODEL_WRAPPERS

    class Wrapper(torch.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    MODEL_WRAPPERS.register_module(name='WrapperOfThisTest', module=Wrapper)
    try:
        model = Whole()
        wrapper = mmengine.optim.build_optim_wrapper(Wrapper(model), CFG)
    finally:
        MODEL_WRAPPERS._module_dict.pop('WrapperOfThisTest')
    assert parameters(wrapper) == {id(p) for p in model.part.parameters()}


def test_the_runner_asks_too_when_it_was_imported_first(run_python):
    done = run_python("""
        import mmengine.runner.runner as runner, mmengine.optim
        stock = runner.build_optim_wrapper
        import mmkd_video
        print(runner.build_optim_wrapper is mmengine.optim.build_optim_wrapper, runner.build_optim_wrapper is stock)
        print(runner.build_optim_wrapper.__wrapped__ is stock)
    """)
    assert done.stdout.split() == ['True', 'False', 'True'], done.stderr
