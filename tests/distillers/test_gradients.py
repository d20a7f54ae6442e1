"""Gradient norms of terms: the same on all ranks, whatever the batch of each holds."""

import pytest
import torch

from mmkd_video.distillers import gradients
from mmkd_video.distillers.gradients import gradient_norms
from mmkd_video.recognizers.recomputing import keeping_statistics
from mmkd_video.taps import Place
from mmkd_video.weightings import Norms


def losses_at(tap, term=3.0, task=4.0):
    """Losses whose gradients at a tap ``(2, 2)`` have the lengths ``2 * term`` and ``2 * task``."""
    return tap.sum() * term, tap.sum() * task


def place_at(tap):
    return [Place(read=tap, passed=tap)]


@pytest.fixture
def tap():
    return torch.ones(2, 2, requires_grad=True) * 1.0


@pytest.fixture
def other(monkeypatch):
    """What another rank tells, by collective; the list of what this one has told."""
    told, others = [], []

    def all_reduce(tensor, op):
        assert op == 'mean'
        told.append(tensor.tolist())
        if others:
            tensor.add_(torch.tensor(others.pop(0), dtype=tensor.dtype)).div_(2)

    monkeypatch.setattr(gradients, 'all_reduce', all_reduce)
    return told, others


def test_both_norms_are_told(tap):
    norms = gradient_norms(*losses_at(tap), place_at(tap))
    assert isinstance(norms, Norms) and (norms.term.item(), norms.task.item()) == (6.0, 8.0)


def test_a_rank_that_reads_no_clip_takes_part_with_nothing(tap, other):
    told, others = other
    others.append([36.0, 64.0, 0.0, 1.0])
    norms = gradient_norms(torch.zeros(()), losses_at(tap)[1], place_at(tap), idle=True)
    assert told == [[0.0, 64.0, 0.0, 0.0]]
    assert norms.term.item() ** 2 == pytest.approx(18.0) and norms.task.item() == 8.0


def test_where_no_rank_reads_a_clip_nothing_is_known(tap):
    assert gradient_norms(torch.zeros(()), losses_at(tap)[1], place_at(tap), idle=True) is None


def test_a_failure_on_one_rank_is_one_on_all_after_the_same_collectives(tap, other):
    told, others = other
    with pytest.raises(ValueError, match='cannot be measured'):
        gradient_norms(torch.ones(4, requires_grad=True).sum(), losses_at(tap)[1], place_at(tap))
    assert len(told) == 1
    others.append([0.0, 64.0, 1.0, 1.0])  # the other one has failed
    with pytest.raises(ValueError, match='cannot be measured'):
        gradient_norms(*losses_at(tap), place_at(tap))
    assert len(told) == 2


def test_an_overflow_on_one_rank_is_tried_again_on_all(tap, other):
    told, others = other
    others += [[float('inf'), 64.0, 0.0, 1.0], [36.0, 64.0, 0.0, 1.0]]
    norms = gradient_norms(*losses_at(tap), place_at(tap))
    assert len(told) == 2 and (norms.term.item(), norms.task.item()) == (6.0, 8.0)
    others += [[float('nan'), 64.0, 0.0, 1.0]] * 2
    assert gradient_norms(*losses_at(tap), place_at(tap)) is None


def test_without_memory_no_tap_is_blamed(tap, monkeypatch):
    def fail(*arguments, **settings):
        raise torch.OutOfMemoryError('no memory')

    monkeypatch.setattr(torch.autograd, 'grad', fail)
    with pytest.raises(torch.OutOfMemoryError):
        gradient_norms(*losses_at(tap), place_at(tap))


def test_checkpointed_layers_keep_their_statistics_while_they_are_measured():
    norm = torch.nn.BatchNorm1d(3)
    features = torch.randn(8, 3, requires_grad=True)
    read = torch.utils.checkpoint.checkpoint(norm, features, use_reentrant=False)
    before = norm.running_mean.clone()
    with keeping_statistics(norm):
        gradient_norms(read.square().sum(), read.sum(), place_at(features))
    assert torch.equal(norm.running_mean, before) and norm.momentum == 0.1
    gradient_norms(read.square().sum(), read.sum(), place_at(features))
    assert not torch.equal(norm.running_mean, before)
