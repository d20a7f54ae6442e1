"""Activation checkpointing changes memory and time, and nothing else."""

import pytest
import tiny
import torch
import zoo
from mmengine.runner.activation_checkpointing import turn_on_activation_checkpointing
from torch.utils.checkpoint import checkpoint

from mmkd_video.recognizers.recomputing import recomputing


def step(model, seed):
    """Return the losses of one step, whose gradients are left in the model."""
    data = model.data_preprocessor(zoo.batch_for(tiny.recognizer(), tiny.SIZE, seed=seed), True)
    torch.manual_seed(seed)
    model.zero_grad()
    losses = model(**data, mode='loss')
    model.parse_losses(losses)[0].backward()
    return losses


PLACES = {
    'after': 'backbone.layer1',
    'inside': 'backbone.layer1.0.conv1',
    'before an activation': 'backbone.layer1:pre',
    'ahead': 'backbone.conv1',
}
QUICK = [('with_cp', 'after'), ('with_cp', 'ahead'), ('activation_checkpointing', 'inside')]


@pytest.mark.parametrize(
    'how, place',
    [
        pytest.param(how, place, marks=() if (how, place) in QUICK else pytest.mark.slow)
        for how in ('with_cp', 'activation_checkpointing')
        for place in PLACES
    ],
)
def test_losses_gradients_and_statistics_are_those_of_the_plain_run(how, place):
    terms = [tiny.KD, dict(type='FitNetLoss', at=PLACES[place])]  # balanced: gradients are measured at the tap
    plain = tiny.build(terms=terms, student=tiny.recognizer(dropout=0.5))
    ours = tiny.build(terms=terms, student=tiny.recognizer(dropout=0.5, with_cp=how == 'with_cp'))
    if how == 'activation_checkpointing':
        turn_on_activation_checkpointing(ours, 'backbone.layer1')
    for seed in range(2):
        expected, found = step(plain, seed), step(ours, seed)
        assert 'fitnet_grad' in expected and found.keys() == expected.keys()
        assert all(torch.equal(found[key], value) for key, value in expected.items())
        assert [recorder.calls for recorder in ours._student_taps._recorders.values()] == [1, 1]
        assert all(recorder.value is None for recorder in ours._student_taps._recorders.values())
    for mine, theirs in zip(ours.parameters(), plain.parameters(), strict=True):
        assert mine.grad is None if theirs.grad is None else torch.equal(mine.grad, theirs.grad)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(ours.buffers(), plain.buffers(), strict=True))


def test_who_asks_for_the_reentrant_variant_gets_it():
    model = torch.nn.BatchNorm1d(3)
    inputs = torch.randn(4, 3, requires_grad=True)
    before = torch.utils.checkpoint.checkpoint
    with recomputing(model):
        asked = torch.utils.checkpoint.checkpoint(model, inputs, use_reentrant=True)
        other = torch.utils.checkpoint.checkpoint(model, inputs)
    assert torch.utils.checkpoint.checkpoint is before is checkpoint
    with pytest.raises(RuntimeError, match='use_reentrant'):
        torch.autograd.grad(asked.sum(), inputs)
    torch.autograd.grad(other.sum(), inputs)
    assert model.num_batches_tracked == 2
