"""Connectors of recipes that align tokens: an MLP, an orthogonal map, cross-attention."""

import copy

import pytest
import torch

from mmkd_video.connectors import CrossAttentionConnector, MLPConnector, OrthogonalConnector
from mmkd_video.terms.spec import TermSpec
from mmkd_video.terms.term import Term

SHAPES = {'map': (2, 3, 2, 4, 5), 'tokens': (2, 7, 3), 'vector': (2, 3)}


def random(shape: tuple, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def term(connector: dict, student: torch.Tensor, teacher: torch.Tensor, kind: str = 'FitNetLoss', **keys) -> Term:
    config = dict(type=kind, at=('a', 'b'), connector=connector, **keys)
    return Term(TermSpec.parse(config, 0), {'a': student}, {'b': teacher})


@pytest.mark.parametrize('layout', SHAPES)
@pytest.mark.parametrize('kind', [MLPConnector, OrthogonalConnector])
def test_channels_change_and_nothing_else(kind, layout):
    feature = random(SHAPES[layout]).requires_grad_()
    out = kind(3, 8, layout)(feature)
    expected = list(feature.shape)
    expected[1 if layout != 'tokens' else 2] = 8
    assert list(out.shape) == expected
    out[0].square().sum().backward()
    assert feature.grad[0].abs().sum() > 0 and not feature.grad[1].any()


@pytest.mark.parametrize('layout', ['map', 'tokens'])
def test_positions_tell_equal_places_apart(layout):
    feature = torch.ones(SHAPES[layout] if layout == 'tokens' else (2, 16, 2, 4, 5))
    channels = feature.shape[1 if layout == 'map' else 2]
    plain = MLPConnector(channels, 8, layout)(feature)
    coded = MLPConnector(channels, 8, layout, position=True)(feature)
    spread = [x.flatten(2).std(dim=2).max() if layout == 'map' else x.std(dim=1).max() for x in (plain, coded)]
    assert spread[0] < 1e-5 < 1e-2 < spread[1]


def test_a_vector_has_no_position():
    with pytest.raises(ValueError, match='MLPConnector.position: got True for vectors, which have no position'):
        MLPConnector(3, 8, 'vector', position=True)


def test_a_normalised_target_is_met_by_a_normalised_output():
    out = MLPConnector(3, 8, 'tokens', out_norm=True)(random(SHAPES['tokens']))
    assert torch.allclose(out.mean(-1), torch.zeros(2, 7), atol=1e-5)
    assert torch.allclose(out.square().mean(-1), torch.ones(2, 7), atol=1e-2)


@pytest.mark.parametrize('channels', [(3, 8), (8, 3), (4, 4)])
def test_angles_are_kept_while_it_learns(channels):
    torch.manual_seed(0)
    connector = OrthogonalConnector(*channels, 'vector')
    optimizer = torch.optim.SGD(connector.parameters(), lr=0.5)
    before = connector.project.weight.detach().clone()
    feature = random((6, channels[0]))
    for _ in range(5):
        optimizer.zero_grad()
        (connector(feature) - random((6, channels[1]), 1)).square().mean().backward()
        optimizer.step()
    weight = connector.project.weight
    assert (weight - before).abs().max() > 0.01
    short = weight.T @ weight if channels[1] >= channels[0] else weight @ weight.T
    assert torch.allclose(short, torch.eye(min(channels)), atol=1e-5)
    if channels[1] >= channels[0]:
        out = connector(feature)
        assert torch.allclose(out @ out.T, feature @ feature.T, atol=1e-4)


@pytest.mark.parametrize('layout', ['vector', 'map'])
def test_an_orthogonal_map_is_copied_and_goes_through_a_state_dict(layout):
    first, second = OrthogonalConnector(3, 8, layout), OrthogonalConnector(3, 8, layout)
    feature = random(SHAPES[layout])
    assert torch.equal(copy.deepcopy(first)(feature), first(feature))
    assert not torch.allclose(first(feature), second(feature))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(feature), second(feature))


@pytest.mark.parametrize('teacher', [(2, 9, 8), (2, 8, 4, 2, 2)])
@pytest.mark.parametrize('student', ['map', 'tokens'])
def test_attention_gives_a_row_for_each_place_of_the_teacher(student, teacher):
    feature = random(SHAPES[student]).requires_grad_()
    out = CrossAttentionConnector(3, 8)(feature, teacher)
    assert out.shape == teacher
    out[0].square().sum().backward()
    assert feature.grad[0].abs().sum() > 0 and not feature.grad[1].any()
    places = out.flatten(2).transpose(1, 2) if out.ndim == 5 else out
    assert (places[0, 0] - places[0, 1]).abs().max() > 1e-4


def test_heads_divide_the_channels():
    with pytest.raises(ValueError, match=r'CrossAttentionConnector.heads: got 3, which does not divide the 8 channels'):
        CrossAttentionConnector(3, 8, heads=3)


def test_a_term_compares_all_tokens_behind_attention_and_their_mean_without():
    student, teacher = random((2, 3, 2, 4, 5)), random((2, 9, 8), 1)
    built = term(dict(type='CrossAttentionConnector', heads=2), student, teacher)
    ours, theirs = built.pairs[0](student, teacher)
    assert ours.shape == theirs.shape == (2, 9, 8)
    value = float(built({'a': student}, {'b': teacher}, {}).detach())
    assert value == pytest.approx(float((ours - theirs).square().mean().detach()), rel=1e-5)
    averaged = term(dict(type='ProjectionConnector'), student, teacher)
    assert averaged.pairs[0](student, teacher)[0].shape == (2, 8)


@pytest.mark.parametrize('kind', ['KDLoss', 'DISTLoss', 'FitNetLoss'])
def test_standardised_scores_have_no_scale(kind):
    student, teacher = random((4, 6)), random((4, 6), 1)
    config = dict(type=kind, at='logits', standardize=True)
    built = Term(TermSpec.parse(config, 0), {'logits': student}, {'logits': teacher})
    value = built({'logits': student}, {'logits': teacher}, {})
    again = built({'logits': 7 * student + 3}, {'logits': 0.2 * teacher - 1}, {})
    assert value > 0.01 and again == pytest.approx(float(value), rel=1e-4)


def test_standardised_kd_is_logit_standardisation():
    student, teacher = random((4, 6)), random((4, 6), 1)
    values = []
    for config in (dict(type='KDLoss', standardize=True), dict(type='LogitStdKDLoss')):
        spec = TermSpec.parse(dict(config, at='logits', temperature=2.0), 0)
        sides = {'logits': student}, {'logits': teacher}
        values.append(float(Term(spec, *sides)(*sides, {})))
    assert values[0] == pytest.approx(values[1], rel=1e-6)


def test_only_class_scores_are_standardised():
    feature = random((2, 3, 2, 4, 5))
    spec = TermSpec.parse(dict(type='FitNetLoss', at='x', standardize=True), 0)
    with pytest.raises(ValueError, match='got standardize=True, which is for class scores; take it out'):
        Term(spec, {'x': feature}, {'x': feature})
    with pytest.raises(ValueError, match=r"terms\[0\].standardize: got 'yes'; expected True or False"):
        TermSpec.parse(dict(type='KDLoss', at='logits', standardize='yes'), 0)
