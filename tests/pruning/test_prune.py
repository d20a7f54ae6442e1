"""Pruned recognizers of every family: smaller, right, and rebuilt to the bit."""

import copy
import re
import sys

import pruned_zoo
import pytest
import torch
from torch import nn

from mmkd_video.pruning import (
    PruningHistory,
    count_flops,
    count_params,
    history_of,
    prune,
    remove_channels,
    replay,
)
from mmkd_video.pruning.zeroing import zero_channels


def silenced(model, history):
    """Return what an unpruned model must equal: the channels of the only step are there, but say nothing."""
    silent = copy.deepcopy(model)
    zero_channels(silent, history.steps[0].cuts)
    return silent


SWIN = pytest.param('swin3d', marks=pytest.mark.slow)  # the smallest there is has 28 M parameters


@pytest.mark.parametrize('name', [*pruned_zoo.CONVOLUTIONS, *pruned_zoo.TRANSFORMERS, SWIN])
def test_half_the_parameters_and_the_scores_of_silent_channels(name):
    model, inputs = pruned_zoo.build(name)
    target = 0.5 if name in pruned_zoo.CONVOLUTIONS else 0.75
    pruned = copy.deepcopy(model)
    history = prune(pruned, inputs, dict(params=target))
    assert target - 0.05 < count_params(pruned) / count_params(model) <= target
    expected, got = pruned_zoo.scores(silenced(model, history), inputs), pruned_zoo.scores(pruned, inputs)
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(got, pruned_zoo.scores(model, inputs), atol=1e-3)

    again = replay_on_fresh(name, history)
    again.load_state_dict(pruned.state_dict())
    assert torch.equal(pruned_zoo.scores(again, inputs), got)


def replay_on_fresh(name, history):
    fresh, _ = pruned_zoo.build(name, seed=1)
    replay(fresh, PruningHistory.from_json(history.to_json()))
    return fresh


@pytest.mark.slow
def test_c3d_loses_flattened_features():
    model, inputs = pruned_zoo.build('c3d')
    pruned = copy.deepcopy(model)
    history = prune(pruned, inputs, dict(params=0.5))
    assert count_params(pruned) <= 0.5 * count_params(model)
    expected = pruned_zoo.scores(silenced(model, history), inputs)
    got = pruned_zoo.scores(pruned, inputs)
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-3)
    again = replay_on_fresh('c3d', history)
    again.load_state_dict(pruned.state_dict())
    assert torch.equal(pruned_zoo.scores(again, inputs), got)


@pytest.mark.parametrize('criterion', ['magnitude', 'bn_scale', 'taylor', 'random'])
@pytest.mark.parametrize('scope', ['global', 'layer'])
def test_every_criterion_and_scope(criterion, scope):
    model, inputs = pruned_zoo.build('i3d')
    if criterion == 'taylor':
        model(inputs, mode='tensor', stage='head').square().sum().backward()
    before = count_params(model)
    prune(model, inputs, dict(params=0.6), criterion=criterion, scope=scope)
    assert 0.5 < count_params(model) / before <= 0.6


@pytest.mark.parametrize(('name', 'criterion'), [('x3d', 'bn_scale'), ('tsm_mobilenet', 'taylor')])
def test_criteria_on_depthwise_convolutions(name, criterion):
    model, inputs = pruned_zoo.build(name)
    pruned = copy.deepcopy(model)
    if criterion == 'taylor':
        pruned(inputs, mode='tensor', stage='head').square().sum().backward()
    history = prune(pruned, inputs, dict(params=0.6), criterion=criterion)
    assert 0.5 < count_params(pruned) / count_params(model) <= 0.6
    expected = pruned_zoo.scores(silenced(model, history), inputs)
    torch.testing.assert_close(pruned_zoo.scores(pruned, inputs), expected, rtol=1e-3, atol=1e-4)
    removed = {cut.layer: cut.removed for cut in history.steps[0].cuts if cut.side == 'out'}
    other = prune(copy.deepcopy(model), inputs, dict(params=0.6)).steps[0]
    assert removed != {cut.layer: cut.removed for cut in other.cuts if cut.side == 'out'}


def test_operations_are_a_target():
    model, inputs = pruned_zoo.build('i3d')
    before = count_flops(model, inputs)
    history = prune(model, inputs, dict(flops=0.6))
    assert 0.55 < count_flops(model, inputs) / before <= 0.6
    assert history.steps[0].after['flops'] == count_flops(model, inputs)


def test_criteria_choose_what_they_say():
    model, inputs = pruned_zoo.build('i3d')
    layers = dict(model.named_modules())
    unit = next(name for name in layers if name.endswith('layer4.1.conv1.conv'))
    scale, weight = layers[unit.replace('.conv1.conv', '.conv1.bn')].weight, layers[unit].weight
    with torch.no_grad():
        scale[3] = 1e-6
        weight[5] *= 1e-6
    removed = {}
    for criterion in ('bn_scale', 'magnitude'):
        pruned = copy.deepcopy(model)
        history = prune(pruned, inputs, dict(params=0.97), criterion=criterion, scope='layer')
        removed[criterion] = {c.layer: c.removed for c in history.steps[0].cuts if c.side == 'out'}[unit]
    assert 3 in removed['bn_scale'] and 5 in removed['magnitude']
    assert 5 not in removed['bn_scale']


def test_layers_lose_the_same_fraction_or_compete():
    fractions = {}
    for scope in ('layer', 'global'):
        model, inputs = pruned_zoo.build('tsn_r18')
        history = prune(model, inputs, dict(params=0.5), scope=scope)
        fractions[scope] = {round(len(c.removed) / c.size, 1) for c in history.steps[0].cuts if c.side == 'out'}
    assert len(fractions['layer']) == 1 < len(fractions['global'])


def test_equal_scores_take_equally_from_all_layers():
    model, inputs = pruned_zoo.build('i3d')
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.ones_(module.weight)
    history = prune(model, inputs, dict(params=0.5), criterion='bn_scale')
    fractions = [len(cut.removed) / cut.size for cut in history.steps[0].cuts if cut.side == 'out']
    assert history.steps[0].after['params'] > 0.45 * history.steps[0].before['params']
    assert max(fractions) - min(fractions) < 0.2


def test_steps_lead_to_the_same_target_and_are_counted():
    model, inputs = pruned_zoo.build('i3d')
    first, done = count_params(model), []
    history = prune(model, inputs, dict(params=0.4), steps=3, between=lambda n: done.append((n, count_params(model))))
    assert len(history) == 3 and history_of(model) is history
    assert [n for n, _ in done] == [1, 2]
    wanted = [0.8, 0.6, 0.4]
    for (_, params), fraction in zip([*done, (3, count_params(model))], wanted, strict=True):
        assert fraction - 0.03 < params / first <= fraction
    again = replay_on_fresh('i3d', history)
    again.load_state_dict(model.state_dict())
    assert torch.equal(pruned_zoo.scores(again, inputs), pruned_zoo.scores(model, inputs))


def test_measured_latency_is_a_target():
    model, inputs = pruned_zoo.build('slowonly')
    history = prune(model, inputs, dict(latency=0.97), scope='layer')
    assert history.steps[0].after['latency'] <= 0.97 and history.steps[0].before['latency'] == 1.0


def test_pruning_keeps_modes_parameters_gradients_and_generators():
    model, inputs = pruned_zoo.build('tsm_mobilenet')
    model.train()
    model.cls_head.eval()
    ours = list(model.parameters())
    for parameter in ours:
        parameter.grad = torch.ones_like(parameter)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    prune(model, inputs, dict(params=0.6))
    assert torch.equal(torch.rand(4), expected)
    assert model.training and model.backbone.training and not model.cls_head.training
    assert all(new is old for new, old in zip(model.parameters(), ours, strict=True))
    assert all(parameter.grad.shape == parameter.shape for parameter in ours)


def test_pruned_model_trains():
    model, inputs = pruned_zoo.build('x3d')
    prune(model, inputs, dict(params=0.5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    model.train()
    for _ in range(2):
        loss = model(inputs.repeat(2, *[1] * (inputs.ndim - 1)), mode='tensor', stage='head').square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.isfinite(loss) and all(p.grad.shape == p.shape for p in model.parameters())


def test_shift_moves_the_survivors_of_the_channels_it_moved():
    model, inputs = pruned_zoo.build('tsm_r18')
    history = prune(copy.deepcopy(model), inputs, dict(params=0.6))
    pruned = copy.deepcopy(model)
    remove_channels(pruned, history.steps[0].cuts)
    expected = pruned_zoo.scores(silenced(model, history), inputs)
    torch.testing.assert_close(pruned_zoo.scores(pruned, inputs), expected, rtol=1e-3, atol=1e-4)
    for module in pruned.modules():
        if type(module).__name__ == 'TemporalShift':
            del module.shift  # MMAction2's own again: another set of channels is moved
    assert not torch.allclose(pruned_zoo.scores(pruned, inputs), expected, rtol=1e-2, atol=1e-2)


def test_kept_layers_and_multiples_of_eight():
    model, inputs = pruned_zoo.build('tsn_r18')
    keep = ['backbone.layer4*', 'backbone.layer3']
    history = prune(model, inputs, dict(params=0.95), keep=keep, round_to=8)
    given = {cut.layer for cut in history.steps[0].cuts if cut.side == 'out'}
    assert given and not any(name.startswith(('backbone.layer3', 'backbone.layer4')) for name in given)
    assert all((cut.size - len(cut.removed)) % 8 == 0 for cut in history.steps[0].cuts)


MISTAKES = [
    (dict(target=dict(params=1.5)), 'target.params: got 1.5'),
    (dict(target=dict(macs=0.5)), 'target: got'),
    (dict(target=0.5), 'target: got 0.5'),
    (dict(criterion='l2'), "criterion: got 'l2'"),
    (dict(scope='local'), "scope: got 'local'"),
    (dict(round_to=0), 'round_to: got 0'),
    (dict(max_ratio=1), 'max_ratio: got 1'),
    (dict(steps=0), 'steps: got 0'),
    (dict(keep=['backbone.layer9']), "keep: 'backbone.layer9' names no layer"),
    (dict(target=dict(params=0.001)), r'target params=0.001 cannot be reached.*which leaves 0\.\d+ of this model'),
    (dict(criterion='taylor'), "'taylor' reads gradients"),
]


@pytest.mark.parametrize(('settings', 'message'), MISTAKES)
def test_mistakes_are_named_and_change_nothing(settings, message):
    model, inputs = pruned_zoo.build('i3d')
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=message):
        prune(model, inputs, **{'target': dict(params=0.5), **settings})
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_target_beyond_what_a_transformer_allows_says_what_is_left_whole():
    model, inputs = pruned_zoo.build('timesformer')
    with pytest.raises(ValueError, match='cannot be reached.*leaves 0.69.*LayerNorm'):
        prune(model, inputs, dict(params=0.5))


@pytest.mark.parametrize(
    ('name', 'keep', 'whole'),
    [
        ('i3d', (), None),
        ('i3d', ('backbone.layer4.1.conv1',), r'backbone.layer4.1.conv1.conv \(keep names it\)'),
        (
            'uniformer',
            (),
            r'.* and 2 more \(its channels meet in the attention\); .* \(a Attention cannot lose single heads\)',
        ),
        ('timesformer', (), r'.* \(a LayerNorm\); .* and 2 more \(a MultiheadAttention cannot lose single heads\)'),
    ],
)
def test_what_is_left_whole_is_noted_in_a_few_words(name, keep, whole):
    model, inputs = pruned_zoo.build(name)
    found = prune(model, inputs, dict(params=0.9), keep=keep).steps[0].settings.get('left_whole')
    assert found is None if whole is None else re.fullmatch(whole, found), found


def test_no_batch_norm_to_read_scales_from():
    model = nn.Sequential(nn.Conv3d(3, 8, 1), nn.ReLU(), nn.Conv3d(8, 8, 1), nn.Flatten(), nn.Linear(64, 2))
    with pytest.raises(ValueError, match='(?s)no channel of this Sequential can be pruned by .bn_scale.*no batch norm'):
        prune(model, torch.randn(1, 3, 2, 2, 2), dict(params=0.5), criterion='bn_scale')


def test_grouped_convolution_is_left_whole_and_named():
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1, groups=2), nn.Flatten(), nn.Linear(32, 2))
    with pytest.raises(ValueError, match=r"(?s)no channel.*'1' is a convolution in 2 groups"):
        prune(model, torch.randn(1, 3, 2, 2), dict(params=0.5))


def test_heads_of_an_attention_leave_whole():
    model, inputs = pruned_zoo.build('mvit')
    attention = model.backbone.blocks[0].attn
    with torch.no_grad():
        attention.qkv.weight.view(3, 2, 8, -1)[:, 1] *= 1e-3
        attention.proj.weight.view(16, 2, 8)[:, 1] *= 1e-3
    pruned = copy.deepcopy(model)
    history = prune(pruned, inputs, dict(params=0.7), scope='global')
    (cut,) = [cut for cut in history.steps[0].cuts if cut.layer == 'backbone.blocks.0.attn']
    assert (cut.side, cut.removed, cut.size) == ('heads', (1,), 2)
    narrow = pruned.backbone.blocks[0].attn
    assert narrow.num_heads == 1 and narrow.qkv.out_features == 24 and narrow.proj.in_features == narrow.out_dims == 8
    expected = pruned_zoo.scores(silenced(model, history), inputs)
    torch.testing.assert_close(pruned_zoo.scores(pruned, inputs), expected, rtol=1e-3, atol=1e-4)
    whole = copy.deepcopy(model)
    prune(whole, inputs, dict(params=0.8), keep=['backbone.blocks.*.attn'])
    assert all(
        block.attn.num_heads == ours.attn.num_heads
        for block, ours in zip(whole.backbone.blocks, model.backbone.blocks, strict=True)
    )


class Rolled(nn.Module):
    """Uses its channels by number, which no trace can follow."""

    def __init__(self):
        super().__init__()
        self.give, self.take = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1)
        self.more, self.classify = nn.Conv2d(8, 8, 1), nn.Linear(8, 2)

    def forward(self, x):
        return self.classify(self.more(self.take(self.give(x).roll(1, dims=1))).mean((2, 3)))


def test_layer_that_is_misunderstood_is_named_and_can_be_kept():
    torch.manual_seed(0)
    model, inputs = Rolled(), torch.randn(2, 3, 4, 4)
    with pytest.raises(ValueError, match=r"channels of 'give' cannot be pruned.*keep=\['give'\]"):
        prune(model, inputs, dict(params=0.5))
    prune(model, inputs, dict(params=0.7), keep=['give'])
    assert model.give.out_channels == 8 > model.take.out_channels


def test_missing_extra_says_what_to_install(monkeypatch):
    model, inputs = pruned_zoo.build('i3d')
    history = prune(copy.deepcopy(model), inputs, dict(params=0.5))
    monkeypatch.setitem(sys.modules, 'torch_pruning', None)
    with pytest.raises(ImportError, match=r"pip install 'mmkd_video\[prune\]'"):
        prune(model, inputs, dict(params=0.5))
    replay(model, history)  # loading what was pruned needs nothing


def test_history_of_another_model_is_refused():
    model, inputs = pruned_zoo.build('i3d')
    history = prune(copy.deepcopy(model), inputs, dict(params=0.5))
    with pytest.raises(ValueError, match='names a layer .* which this model lacks'):
        replay(nn.Sequential(nn.Conv3d(3, 8, 1)), history)
    pruned = copy.deepcopy(model)
    prune(pruned, inputs, dict(params=0.8))
    with pytest.raises(ValueError, match='not the beginning'):
        replay(pruned, history)
    del pruned.pruning_history
    with pytest.raises(ValueError, match='do not belong together'):
        replay(pruned, history)
    for text, message in [
        ('{}', 'format'),
        ('[', 'JSON'),
        ('{"format":"mmkd_video.pruning/1","steps":[{"cuts":[1]}]}', 'malformed'),
    ]:
        with pytest.raises(ValueError, match=message):
            PruningHistory.from_json(text)
