"""Terms beside the task: what balanced terms leave of the gradient that the student has alone."""

import copy

import pytest
import torch
from distillations import KD, MAP, batch, build

from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.weightings import Weighting

PLAIN_KD = {key: value for key, value in KD.items() if key != 'weight'}
PLAIN_MAP = {key: value for key, value in MAP.items() if key != 'weight'}


def seeded(terms, **extra):
    torch.manual_seed(0)
    return build(terms=terms, **extra)


def losses_of(model, data, steps=1):
    for _ in range(steps):
        torch.manual_seed(1)
        losses = model(**copy.deepcopy(data), mode='loss')
    return losses


def test_a_term_without_a_weight_is_balanced_and_takes_its_share_from_the_task():
    model = seeded([PLAIN_KD])
    data = batch(model)
    alone = losses_of(seeded([dict(KD, weight=1.0)]), data)['loss_cls']
    losses = losses_of(model, data)
    assert losses['loss_cls'].item() == pytest.approx(0.5 * alone.item(), rel=1e-5)
    assert losses['kd_grad'].item() == pytest.approx(losses['kd_task_grad'].item(), rel=1e-5)


def test_several_terms_without_a_weight_share_the_half():
    model = seeded([PLAIN_KD, PLAIN_MAP])
    losses = losses_of(model, batch(model))
    for name in ('kd', 'fitnet'):
        assert losses[f'{name}_grad'].item() == pytest.approx(losses[f'{name}_task_grad'].item() / 2, rel=1e-5)


def test_the_gradient_at_the_logits_is_never_longer_than_the_tasks_own_in_the_first_step():
    logits = {}
    for name, terms in (('alone', [dict(KD, weight=0.0)]), ('balanced', [PLAIN_KD]), ('plain', [dict(KD, weight=1.0)])):
        model = seeded(terms)
        seen = []
        model.student.cls_head.register_forward_hook(lambda _m, _i, out, seen=seen: seen.append(out))
        losses = losses_of(model, batch(model))
        total = losses['loss_cls'] + losses['loss_kd']
        logits[name] = torch.autograd.grad(total, seen[0])[0].norm().item()
    assert logits['balanced'] <= logits['alone'] * (1 + 1e-5)
    assert logits['plain'] != pytest.approx(logits['alone'], rel=0.01)


@pytest.mark.parametrize('term', [PLAIN_KD, PLAIN_MAP, dict(PLAIN_MAP, at=('backbone.layer4:pre', 'backbone.layer4'))])
def test_the_scale_of_a_loss_changes_nothing(term):
    model = seeded([term])
    name = next(iter(model.training_state.terms))
    data = batch(model)
    plain = losses_of(model, data)[f'loss_{name}'].item()
    larger = seeded([term])
    loss = larger.training_state.terms[name].loss
    forward = loss.forward
    loss.forward = lambda student, teacher: 1000 * forward(student, teacher)
    assert losses_of(larger, data)[f'loss_{name}'].item() == pytest.approx(plain, rel=1e-4)


def test_a_term_that_does_not_act_yet_leaves_the_task_whole():
    model = seeded([dict(PLAIN_KD, begin=1)])
    data = batch(model)
    model.set_progress(0, 0, 10, 20)
    before = losses_of(model, data)
    model.set_progress(10, 1, 10, 20)
    after = losses_of(model, data)
    assert before['loss_kd'].item() == 0 and after['loss_kd'].item() > 0
    assert after['loss_cls'].item() == pytest.approx(0.5 * before['loss_cls'].item(), rel=1e-5)


def test_without_a_task_terms_without_a_weight_weigh_one():
    model = seeded([PLAIN_KD], task_weight=0.0)
    losses = losses_of(model, batch(model))
    assert losses['loss_kd'].item() == pytest.approx(losses['kd_raw'].item())


def test_shares_that_leave_the_task_nothing_are_refused():
    half = dict(type='Balanced', share=0.5)
    with pytest.raises(ValueError, match=r"share.*'kd'.*'fitnet'.*below 1"):
        seeded([dict(KD, weight=half), dict(MAP, weight=half)])


def test_a_number_is_taken_as_it_is_and_its_gradient_is_shown():
    losses = losses_of((model := seeded([dict(KD, weight=0.9)])), batch(model))
    assert losses['loss_kd'].item() == pytest.approx(0.9 * losses['kd_raw'].item())
    assert losses['kd_grad'].item() > 0 and losses['kd_task_grad'].item() > 0


def test_a_weighting_sees_every_raw_loss_and_is_in_the_training_state():
    seen = {}

    @TASK_UTILS.register_module(name='SeesAll', force=True)
    class SeesAll(Weighting):
        def __init__(self, start=2.0):
            super().__init__()
            self.value = torch.nn.Parameter(torch.tensor(start))

        def forward(self, step):
            seen.update(step.raws, task=step.task)
            return self.value

    model = seeded([dict(KD, weight=dict(type='SeesAll', start=3.0)), MAP])
    losses = losses_of(model, batch(model))
    assert set(seen) == {'kd', 'fitnet', 'task'}
    assert losses['loss_kd'].item() == pytest.approx(3 * losses['kd_raw'].item())
    assert any(name.endswith('weighting.value') for name in model.training_state_dict())
    assert not any('weighting' in name for name in model.state_dict())
    beside = seeded([dict(KD, weight=dict(type='SeesAll')), PLAIN_MAP])  # it takes no share from the task
    assert beside.training_state.terms['fitnet'].weighting.share == 0.5


def test_measuring_changes_no_gradient_and_no_statistics():
    """Weights as numbers are measured for the log only: with and without it a step is the same to the bit."""
    grads, buffers, shown = [], [], []
    for iteration in (0, 1):  # in the first one gradients are looked at
        model = seeded([dict(KD, weight=0.9), MAP])
        model.set_progress(iteration, 0, 10, 100)
        losses = losses_of(model, batch(model))
        shown.append('kd_grad' in losses)
        model.parse_losses(losses)[0].backward()
        grads.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
        buffers.append(dict(model.named_buffers()))
    assert shown == [True, False]
    for first, second in (grads, buffers):
        assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)
