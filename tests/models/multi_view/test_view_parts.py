"""The parts that fuse views, each against what can be worked out by hand."""

import pytest
import torch
from torch import nn

from mmkd_video.models import ConvGRU, ViewPyramid, ViewTransformer


def test_a_level_holds_its_own_map_and_all_coarser_ones():
    pyramid = ViewPyramid([1, 1, 1], 1)
    for lateral in pyramid.laterals:
        nn.init.ones_(lateral.weight)
        nn.init.zeros_(lateral.bias)
    fine, middle, coarse = (
        torch.full((1, 1, 2, size, size), value) for size, value in ((4, 1.0), (2, 10.0), (1, 100.0))
    )
    middle[..., 0] = 20.0  # the left half
    found = pyramid([fine, middle, coarse])
    assert [tuple(each.shape[2:]) for each in found] == [(2, 4, 4), (2, 2, 2), (2, 1, 1)]
    assert found[0][0, 0, 0, 0].tolist() == [121.0, 121.0, 111.0, 111.0]
    assert found[1][0, 0, 0, 0].tolist() == [120.0, 110.0] and found[2].unique().item() == 100.0


def test_the_state_of_a_gru_moves_halfway_to_its_candidate_where_gates_are_even():
    unit = ConvGRU(2)
    for parameter in unit.parameters():
        nn.init.zeros_(parameter)
    nn.init.constant_(unit.candidate.bias, 0.5)
    states = unit(torch.randn(1, 2, 4, 3, 3))
    expected = torch.tensor(0.5).tanh() * (1 - 0.5 ** torch.arange(1.0, 5.0))
    assert torch.allclose(states.mean(dim=(0, 1, 3, 4)), expected) and states.var(dim=(3, 4)).max() < 1e-12


def test_a_gru_reads_a_clip_in_its_order_and_looks_around_in_space():
    torch.manual_seed(0)
    unit, maps = ConvGRU(3), torch.randn(1, 3, 5, 7, 7)
    changed = maps.clone()
    changed[:, :, 2, 3, 3] += 1
    differs = (unit(maps) - unit(changed)).abs().amax(dim=(0, 1)) > 1e-7
    assert differs.flatten(1).any(1).tolist() == [False, False, True, True, True]
    assert differs[2].sum() > 9 and not differs[2, 0].any() and differs[4, 1].any()


def test_a_gru_is_that_of_torch_where_maps_are_points():
    torch.manual_seed(0)
    unit, cell, points = ConvGRU(4, kernel_size=1), nn.GRUCell(4, 4), torch.randn(2, 4, 3, 1, 1)
    gates, candidate = unit.gates, unit.candidate
    (of_update, of_reset), (of_input, of_state) = gates.weight.detach()[..., 0, 0].chunk(2), (slice(0, 4), slice(4, 8))
    new = candidate.weight.detach()[..., 0, 0]
    nn.init.zeros_(candidate.bias)
    with torch.no_grad():  # torch's z keeps the old state, and its r stands behind the product: equal for a state of 0
        cell.weight_ih.copy_(torch.cat([of_reset[:, of_input], -of_update[:, of_input], new[:, of_input]]))
        cell.weight_hh.copy_(torch.cat([of_reset[:, of_state], -of_update[:, of_state], new[:, of_state]]))
        update, reset = gates.bias.chunk(2)
        cell.bias_ih.copy_(torch.cat([reset, -update, torch.zeros(4)]))
        nn.init.zeros_(cell.bias_hh)
        first = cell(points[:, :, 0, 0, 0], torch.zeros(2, 4))
    assert torch.allclose(unit(points)[:, :, 0, 0, 0], first, atol=1e-6)


def test_tokens_that_are_not_there_change_nothing():
    torch.manual_seed(0)
    model, tokens = ViewTransformer(8, layers=2, heads=2).eval(), torch.randn(2, 5, 8)
    seen = torch.tensor([[True, True, False, True, False], [True] * 5])
    found = model(tokens, seen)
    few = model(tokens[:1, [0, 1, 3]], torch.ones(1, 3, dtype=torch.bool))
    assert torch.allclose(found[:1, [0, 1, 3]], few, atol=1e-6)
    assert not torch.allclose(found[:1, [0, 1, 3]], model(tokens, seen | True)[:1, [0, 1, 3]], atol=1e-3)


@pytest.mark.parametrize('dropout', [0.0, 0.5])
def test_dropout_is_of_training_alone(dropout):
    torch.manual_seed(0)
    model, tokens = ViewTransformer(8, dropout=dropout), torch.randn(2, 5, 8)
    seen = torch.ones(2, 5, dtype=torch.bool)
    assert torch.equal(model(tokens, seen), model(tokens, seen)) == (dropout == 0)
    model.eval()
    assert torch.equal(model(tokens, seen), model(tokens, seen))


def test_numbers_that_do_not_work_are_named():
    with pytest.raises(ValueError, match='kernel_size: got 2; expected an odd number'):
        ConvGRU(4, kernel_size=2)
    with pytest.raises(ValueError, match='heads: got 4, which does not divide 6'):
        ViewTransformer(6)
