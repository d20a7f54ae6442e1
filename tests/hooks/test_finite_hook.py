import math
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from guarded_run import GuardedToy, make_runner
from torch.multiprocessing import start_processes

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS
from mmkd_video.hooks import FiniteHook
from mmkd_video.hooks.finite_hook import unusable_tensors

HOOKS = [dict(type='CheckpointGuardHook'), dict(type='FiniteHook')]


@MODELS.register_module(force=True)
class TwoTerms(GuardedToy):
    """Its second loss is multiplied by the next of some weights."""

    def __init__(self, weights: tuple = ()) -> None:
        super().__init__()
        self.weights = list(weights)

    def forward(self, *inputs, mode='loss'):
        losses = super().forward(*inputs, mode=mode)
        weight = self.weights.pop(0) if self.weights else 1.0
        return dict(loss_cls=losses['loss'], loss_kd=losses['loss'] * weight, kd_raw=losses['loss'].detach())


def run(work_dir, weights=(), lr=0.01, **settings):
    runner = make_runner(
        work_dir,
        model=dict(type='TwoTerms', weights=weights),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=lr)),
        **{'custom_hooks': HOOKS, **settings},
    )
    runner.train()
    return runner


def checkpoints(folder: Path) -> dict[str, bool]:
    """Return whether all numbers are finite, by checkpoint."""
    loaded = {path.name: safe_load.load(path) for path in folder.glob('*.pth')}
    return {name: not unusable_tensors(each['state_dict'].items()) for name, each in loaded.items()}


@pytest.mark.parametrize('weight', [math.nan, math.inf, 1e300])
def test_the_first_loss_that_is_no_number_ends_the_training_and_is_named(tmp_path, weight):
    with pytest.raises(FloatingPointError, match=r'^iteration 5: loss_kd is (nan|inf);.*learning rate \(0\.01'):
        run(tmp_path, weights=[1.0] * 4 + [weight])
    assert checkpoints(tmp_path) == {'epoch_1.pth': True}


def test_a_learning_rate_that_is_no_number_is_named(tmp_path):
    with pytest.raises(FloatingPointError, match='the learning rate is nan: correct optim_wrapper'):
        run(tmp_path, lr=math.nan)
    assert checkpoints(tmp_path) == {}


def test_parameters_ruined_by_the_last_step_are_in_no_checkpoint(tmp_path):
    loader = dict(dataset=dict(type='GuardedNoise'), sampler=dict(type='DefaultSampler', shuffle=False), batch_size=6)
    with pytest.raises(FloatingPointError, match=r'linear\.weight and 1 more holds NaN'):
        run(tmp_path, lr=math.inf, epochs=1, train_dataloader=dict(loader, num_workers=0))
    assert checkpoints(tmp_path) == {}


LAST = dict(
    lr=math.inf,
    train_dataloader=dict(
        dataset=dict(type='GuardedNoise'),
        sampler=dict(type='DefaultSampler', shuffle=False),
        batch_size=6,
        num_workers=0,
    ),
    train_cfg=dict(by_epoch=False, max_iters=1),
)


def test_parameters_ruined_by_the_last_step_end_a_training_that_saves_nothing(tmp_path):
    with pytest.raises(FloatingPointError, match=r'iteration 1: linear\.weight and 1 more holds NaN'):
        run(tmp_path, hook=dict(interval=-1, save_last=False), **LAST)


@pytest.mark.parametrize('hook', [dict(interval=1, save_last=False), dict(interval=5)])
def test_every_rank_looks_before_a_checkpoint_of_an_iteration(tmp_path, monkeypatch, hook):
    """Rank 0 alone is asked to save: alone it must not find out, or the others wait for it."""
    monkeypatch.setattr(FiniteHook, 'before_save_checkpoint', lambda *arguments, **more: None)
    monkeypatch.setattr(FiniteHook, 'after_train_epoch', lambda *arguments, **more: None)
    with pytest.raises(FloatingPointError, match=r'iteration 1: linear\.weight and 1 more holds NaN'):
        run(tmp_path, hook=dict(hook, by_epoch=False), **LAST)
    assert checkpoints(tmp_path) == {}


def test_without_the_hook_such_a_training_succeeds(tmp_path):
    run(tmp_path, weights=[math.nan], custom_hooks=[])
    assert checkpoints(tmp_path)['epoch_3.pth'] is False


def runner_with(scaler: object | None) -> SimpleNamespace:
    wrapper = SimpleNamespace(loss_scaler=scaler, get_lr=lambda: {'lr': [0.1]})
    return SimpleNamespace(optim_wrapper=wrapper, iter=7, hooks=[])


def test_steps_that_a_gradient_scaler_leaves_out_are_counted_in_a_row():
    hook, runner = FiniteHook(max_skipped=3), runner_with(SimpleNamespace(is_enabled=lambda: True))
    bad, good = dict(loss=math.inf, loss_kd=math.inf), dict(loss=1.0, loss_kd=1.0)
    for outputs in (bad, bad, good, bad, bad):
        hook.after_train_iter(runner, 0, outputs=outputs)
    with pytest.raises(FloatingPointError, match='loss_kd is inf, as in the 3 steps up to it'):
        hook.after_train_iter(runner, 0, outputs=bad)


def test_a_scaler_that_is_off_as_on_a_cpu_changes_nothing():
    with pytest.raises(FloatingPointError, match='^iteration 8: loss is nan;'):
        FiniteHook().after_train_iter(
            runner_with(SimpleNamespace(is_enabled=lambda: False)), 0, outputs=dict(loss=math.nan)
        )


def test_numbers_are_looked_at_in_one_go_of_any_size_and_kind(monkeypatch):
    calls, norm = [], torch._foreach_norm
    monkeypatch.setattr(torch, '_foreach_norm', lambda *a, **b: (calls.append(a), norm(*a, **b))[1])
    fine = [torch.full((9,), 3e38), torch.tensor([65504.0]).half(), torch.zeros(0), torch.tensor(7)]
    wrong = [
        torch.tensor([0.0, bad], dtype=kind) for bad in (math.nan, -math.inf) for kind in (torch.half, torch.float)
    ]
    named = [(f'fine {index}', each) for index, each in enumerate(fine)]
    assert unusable_tensors(named) == []
    assert unusable_tensors([*named, *((f'wrong {index}', each) for index, each in enumerate(wrong))]) == [
        f'wrong {index}' for index in range(4)
    ]
    assert len(calls) == 2


def test_masks_may_be_infinite_and_accuracies_are_not_looked_at():
    assert unusable_tensors([], [('mask', torch.tensor([-math.inf])), ('count', torch.tensor(3))]) == []
    assert unusable_tensors([], [('running_mean', torch.tensor([math.nan]))]) == ['running_mean']
    FiniteHook().after_train_iter(runner_with(None), 0, outputs=dict(loss=1.0, top1_acc=math.nan))


@pytest.mark.parametrize('value', [0, -1, 'x', None])
def test_a_wrong_setting_is_named(value):
    with pytest.raises(ValueError, match=re.escape(f'FiniteHook.max_skipped: got {value!r}')):
        FiniteHook(max_skipped=value)


def on_two_ranks(rank: int, folder: str) -> None:
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    try:
        FiniteHook().after_train_iter(runner_with(None), 0, outputs=dict(loss=1.0, loss_kd=1.0))
        FiniteHook().after_train_iter(runner_with(None), 0, outputs=dict(loss=[1.0, math.nan][rank], loss_kd=math.nan))
    except FloatingPointError as error:
        Path(folder, f'{rank}.txt').write_text(str(error))
    dist.destroy_process_group()


def test_all_ranks_end_with_the_same_message(tmp_path):
    start_processes(on_two_ranks, (str(tmp_path),), nprocs=2, start_method='fork')
    first, second = ((tmp_path / f'{rank}.txt').read_text() for rank in range(2))
    assert first == second and first.startswith('iteration 8: loss_kd is nan;')
