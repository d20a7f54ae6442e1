"""Temporal modules against torch's own, against formulas, and frame by frame against the whole clip."""

import pytest
import torch
from torch import nn

from mmkd_video import models
from mmkd_video.models.temporal.bins import pool_to
from mmkd_video.models.temporal.conv_stack import ConvStack

LSTM, GRU = dict(type='ConvLSTM', kernel_size=1), dict(type='ConvGRU', kernel_size=1, reset_after=True)


def copy_lstm(cell, theirs, suffix):
    weights = [getattr(theirs, f'weight_{part}_{suffix}') for part in ('ih', 'hh')]
    with torch.no_grad():
        cell.gates.weight.copy_(torch.cat(weights, dim=1)[..., None, None])
        cell.gates.bias.copy_(getattr(theirs, f'bias_ih_{suffix}') + getattr(theirs, f'bias_hh_{suffix}'))


def copy_gru(cell, theirs, suffix):
    parts = {
        part: getattr(theirs, f'{part}_{suffix}').chunk(3) for part in ('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh')
    }
    (w_r, w_z, w_n), (u_r, u_z, u_n), (b_r, b_z, b_n), (d_r, d_z, d_n) = parts.values()
    with torch.no_grad():  # torch's z keeps the old state: 1 - sigmoid(x) = sigmoid(-x)
        gates = torch.cat([torch.cat([-w_z, -u_z], dim=1), torch.cat([w_r, u_r], dim=1)])
        cell.gates.weight.copy_(gates[..., None, None])
        cell.gates.bias.copy_(torch.cat([-b_z - d_z, b_r + d_r]))
        for conv, weight, bias in ((cell.candidate, w_n, b_n), (cell.recurrent, u_n, d_n)):
            conv.weight.copy_(weight[..., None, None])
            conv.bias.copy_(bias)


@pytest.mark.parametrize('cell, theirs, copy', [(LSTM, nn.LSTM, copy_lstm), (GRU, nn.GRU, copy_gru)])
@pytest.mark.parametrize('layers, both', [(1, False), (2, True)])
def test_a_stack_on_points_is_that_of_torch(cell, theirs, copy, layers, both):
    torch.manual_seed(0)
    other = theirs(3, 5, layers, batch_first=True, bidirectional=both)
    stack = ConvStack('cell', cell, 3, 5, layers, both)
    for place in range(layers):
        copy(stack.forwards[place], other, f'l{place}')
        if both:
            copy(stack.backwards[place], other, f'l{place}_reverse')
    points = torch.randn(2, 7, 3)
    outputs, state = other(points)
    found = stack(points.transpose(1, 2)[..., None, None])
    torch.testing.assert_close(found[..., 0, 0].transpose(1, 2), outputs, atol=1e-6, rtol=1e-5)
    last = (state[0] if isinstance(state, tuple) else state)[-2 if both else -1 :].transpose(0, 1).flatten(1)
    torch.testing.assert_close(stack.last(found)[:, :, 0, 0, 0], last, atol=1e-6, rtol=1e-5)


def test_peepholes_let_the_gates_see_the_cell():
    cell = models.ConvLSTM(1, kernel_size=1, peephole=True)
    for parameter in cell.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        cell.peepholes.copy_(torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1, 1))
        cell.gates.bias[2] = 0.5
    before = torch.full((1, 1, 1, 1), 0.4)
    hidden, after = cell.step(torch.zeros(1, 1, 1, 1), (torch.zeros(1, 1, 1, 1), before))
    c = torch.sigmoid(torch.tensor(0.8)) * 0.4 + torch.sigmoid(torch.tensor(0.4)) * torch.tanh(torch.tensor(0.5))
    assert after.item() == pytest.approx(c.item(), abs=1e-6)
    assert hidden.item() == pytest.approx((torch.sigmoid(3 * c) * torch.tanh(c)).item(), abs=1e-6)


@pytest.mark.parametrize(
    'kind, theirs', [('avg', nn.functional.adaptive_avg_pool3d), ('max', nn.functional.adaptive_max_pool3d)]
)
@pytest.mark.parametrize('grid', [(1, 1, 1), (2, 3, 2), (3, 2, 5), (7, 5, 5)])
def test_bins_are_those_of_torch(kind, theirs, grid):
    maps = torch.randn(2, 3, 7, 5, 5)
    torch.testing.assert_close(pool_to(maps, grid, kind), theirs(maps, grid))


def test_a_pyramid_has_a_number_for_each_channel_and_bin():
    maps = torch.randn(2, 3, 5, 4, 4)
    neck = models.SpaceTimePyramidPool(((1, 1, 1), (2, 2, 1)), kind='avg')
    found = neck(maps)[0]
    assert neck.bins == 5 and found.shape == (2, 15, 1, 1, 1)
    torch.testing.assert_close(found[:, :3, 0, 0, 0], maps.mean(dim=(2, 3, 4)))
    torch.testing.assert_close(found[0, 3, 0, 0, 0], maps[0, 0, :3, :2].mean())


@pytest.mark.parametrize('causal', [False, True])
def test_a_window_holds_the_neighbours_that_are_there(causal):
    maps = torch.tensor([1.0, 5.0, 2.0, 4.0]).view(1, 1, 4, 1, 1)
    found = {kind: models.WindowPool(kind, 3, causal=causal)(maps)[0].flatten().tolist() for kind in ('max', 'avg')}
    if causal:
        expected = dict(max=[1, 5, 5, 5], avg=[1, 3, 8 / 3, 11 / 3])
    else:
        expected = dict(max=[5, 5, 5, 4], avg=[3, 8 / 3, 11 / 3, 3])
    assert found['max'] == expected['max'] and found['avg'] == pytest.approx(expected['avg'])
    assert models.WindowPool('max', 3, stride=2)(maps)[0].flatten().tolist() == [5, 5]


def test_the_generalized_mean_lies_between_average_and_maximum():
    maps = torch.rand(2, 3, 4, 3, 3) + 0.1
    mean = models.GeMPool(1.0)(maps)[0].flatten()
    torch.testing.assert_close(mean, maps.mean(dim=(2, 3, 4)).flatten())
    cubes = models.GeMPool(3.0, over='time')(maps)[0]
    torch.testing.assert_close(cubes, (maps**3).mean(dim=2, keepdim=True) ** (1 / 3))
    assert (models.GeMPool(64.0)(maps)[0].flatten() / maps.amax(dim=(2, 3, 4)).flatten() > 0.9).all()


def test_netvlad_is_its_formula():
    torch.manual_seed(0)
    neck, maps = models.NetVLADPool(4, clusters=3), torch.randn(2, 4, 3, 2, 2)
    features = nn.functional.normalize(maps.flatten(2), dim=1)
    expected = torch.zeros(2, 3, 4)
    for n in range(2):
        for x in features[n].T:
            near = torch.softmax(neck.assign.weight[:, :, 0, 0, 0] @ x + neck.assign.bias, dim=0)
            expected[n] += near[:, None] * (x - neck.centres)
    expected = nn.functional.normalize(expected, dim=2).flatten(1)
    torch.testing.assert_close(neck(maps)[0][:, :, 0, 0, 0], expected)


def test_attention_without_weights_is_the_average():
    neck, maps = models.AttentionPool(3, heads=2), torch.randn(2, 3, 4, 2, 2)
    nn.init.zeros_(neck.weights.weight)
    torch.testing.assert_close(neck(maps)[0].flatten(1), maps.mean(dim=(2, 3, 4)).repeat(1, 2))
    with torch.no_grad():
        neck.weights.weight.normal_()
    weights = torch.softmax(neck.weights.weight[:, :, 0, 0, 0] @ torch.tanh(neck.hidden(maps)).flatten(2), dim=2)
    torch.testing.assert_close(
        neck(maps)[0].flatten(1), torch.einsum('nhl,ncl->nhc', weights, maps.flatten(2)).flatten(1)
    )


CAUSAL = {
    'lstm': lambda: models.ConvRecurrentNeck(6, 4, dict(type='ConvLSTM', peephole=True), layers=2, output='all'),
    'gru': lambda: models.ConvRecurrentNeck(6, 4, dict(type='ConvGRU'), output='all'),
    'window max': lambda: models.WindowPool('max', 4, causal=True),
    'window avg': lambda: models.WindowPool('avg', 3, causal=True),
    'transformer': lambda: models.FrameTransformer(6, 8, heads=2, window=4, causal=True, output='all'),
    'backbone': lambda: models.ConvRecurrentBackbone(
        dict(type='ConvLSTM'), (4, 8), (2, 1), in_channels=6, out_indices=(1,)
    ),
}


@pytest.mark.parametrize('name', CAUSAL)
def test_frame_by_frame_is_the_whole_clip(name):
    torch.manual_seed(0)
    module, clip, state, found = CAUSAL[name]().eval(), torch.randn(2, 6, 9, 6, 6), None, []
    for now in clip.unbind(2):
        output, state = module.step(now, state)
        found.append(output)
        assert all(len(each) == 2 for each in state)
    whole = module(clip)
    whole = whole if isinstance(whole, torch.Tensor) else whole[0]
    torch.testing.assert_close(torch.stack(found, dim=2), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('cell, readout', [('lstm', 'last'), ('gru', 'mean'), ('lstm', 'mean')])
@pytest.mark.parametrize('layers', [1, 2])
def test_a_head_has_scored_the_whole_clip_after_its_last_frame(cell, readout, layers):
    torch.manual_seed(0)
    head = models.RecurrentHead(3, 6, 5, cell=cell, layers=layers, readout=readout).eval()
    clip, state = torch.randn(2, 6, 7, 3, 3), None
    for now in clip.unbind(2):
        scores, state = head.step(now, state)
    torch.testing.assert_close(scores, head(clip), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(head(clip.transpose(1, 2).flatten(0, 1), num_segs=7), head(clip))


@pytest.mark.parametrize('kind', ['avg', 'max'])
@pytest.mark.parametrize('over', ['time', 'space_time'])
def test_a_running_pool_ends_as_that_of_the_clip(kind, over):
    neck, clip, state = models.TemporalPool(kind, over), torch.randn(2, 3, 5, 4, 4), None
    for now in clip.unbind(2):
        pooled, state = neck.step(now, state)
    torch.testing.assert_close(pooled, neck(clip)[0][:, :, 0])


def test_levels_are_joined_from_fine_to_coarse():
    torch.manual_seed(0)
    maps = [torch.randn(1, 3, 4, 6, 6), torch.randn(1, 5, 4, 3, 3)]
    neck = models.ConvRecurrentNeck((3, 5), 4, dict(type='ConvGRU'), bottom_up=True)
    found = neck(maps)[0]
    assert found.shape == (1, 8, 1, 3, 3)
    other = neck([maps[0] + 1, maps[1]])[0]
    assert not torch.allclose(found[:, 4:], other[:, 4:]), 'the coarse level reads the fine one'
    step = None
    for place in range(4):
        output, step = neck.step([each[:, :, place] for each in maps], step)
    torch.testing.assert_close(output, found[:, :, 0], atol=1e-5, rtol=1e-5)


def test_several_clips_of_a_sample_are_told_apart():
    neck, maps = models.TemporalPool('max', num_segments=4), torch.randn(2, 3, 8, 2, 2)
    found = neck(maps)[0]
    torch.testing.assert_close(found, maps.unflatten(2, (2, 4)).amax(dim=3, keepdim=True).transpose(1, 2).flatten(0, 1))


@pytest.mark.parametrize(
    'make, says',
    [
        (lambda: models.ConvLSTM(4, kernel_size=2), 'ConvLSTM.kernel_size: got 2; expected an odd number'),
        (lambda: models.ConvRecurrentNeck(4, 4, dict(type='ReLU')), "cell.type: got 'ReLU'; expected 'ConvLSTM'"),
        (lambda: models.ConvRecurrentNeck(4, 4, dict(LSTM, channels=3)), 'cell.channels: got 3; expected nothing'),
        (lambda: models.WindowPool(window=4), 'window: got 4; expected an odd number'),
        (lambda: models.FrameTransformer(4, 10, heads=4), 'heads: got 4, which does not divide 10'),
        (lambda: models.ConvRecurrentBackbone(LSTM, (4, 4), (2,)), r'strides: got \(2,\); expected 2 numbers'),
        (lambda: models.ConvRecurrentBackbone(LSTM, (4,), (2,)), r'out_indices: got \(2,\); expected numbers below 1'),
        (lambda: models.ConvRecurrentNeck(4, 4, LSTM)(torch.randn(1, 3, 2, 1, 1)), r'got maps of \[3\] channels'),
        (lambda: models.TemporalPool()(torch.randn(4, 3, 2, 2)), 'put a 2D backbone into a FrameBackbone'),
        (lambda: models.TemporalPool()([torch.randn(1, 3, 2, 1, 1)] * 2), 'got 2 maps; expected one'),
        (lambda: models.TemporalPool(num_segments=3)(torch.randn(1, 3, 4, 1, 1)), 'expected a multiple of 3'),
        (lambda: models.SpaceTimePyramidPool()(torch.randn(1, 3, 2, 1, 1)), r'got \(4, 1, 1\); expected at most'),
        (lambda: models.RecurrentHead(3, 6)(torch.randn(2, 5, 1, 1), 2), r'got a feature \(2, 5, 1, 1\)'),
        (lambda: models.RecurrentHead(3, 6, bidirectional=True).step(torch.randn(2, 6, 1, 1)), 'bidirectional=False'),
        (lambda: models.FrameTransformer(4).step(torch.randn(1, 4, 1, 1)), 'build it with causal=True'),
        (lambda: models.WindowPool().step(torch.randn(1, 4, 1, 1)), 'build it with causal=True and stride=1'),
    ],
)  # fmt: skip
def test_what_does_not_work_is_named(make, says):
    with pytest.raises(ValueError, match=says):
        make()
