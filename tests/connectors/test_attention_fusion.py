import pytest
import torch

from mmkd_video.connectors import AttentionFusionConnector
from mmkd_video.functional import hcl
from mmkd_video.terms import Term, TermSpec

STUDENT = {'low': torch.randn(2, 2, 4, 6, 6), 'high': torch.randn(2, 3, 2, 3, 3), 'vector': torch.randn(2, 3)}
TEACHER = {'low': torch.randn(2, 4, 8, 5, 5), 'high': torch.randn(2, 5, 4, 2, 2), 'vector': torch.randn(2, 3)}


def connector() -> AttentionFusionConnector:
    torch.manual_seed(0)
    return AttentionFusionConnector([2, 3], [4, 5], mid_channels=4)


def term(at: object = ('low', 'high'), kind: str = 'HCLLoss') -> Term:
    at = list(at) if isinstance(at, tuple) else at
    config = dict(type=kind, at=at, connector=dict(type='AttentionFusionConnector', mid_channels=4))
    return Term(TermSpec.parse(config, 0), STUDENT, TEACHER)


def test_layers_keep_their_size_and_get_the_teachers_channels() -> None:
    fused = connector()([STUDENT['low'], STUDENT['high']])
    assert [tuple(layer.shape) for layer in fused] == [(2, 4, 4, 6, 6), (2, 5, 2, 3, 3)]


def test_deep_layers_reach_shallow_ones_and_not_the_other_way_round() -> None:
    low, high = STUDENT['low'].clone().requires_grad_(), STUDENT['high'].clone().requires_grad_()
    shallow, deep = connector()([low, high])
    gradients = torch.autograd.grad(shallow.sum() + shallow.square().sum(), [low, high], retain_graph=True)
    assert all(gradient.abs().sum() > 0 for gradient in gradients)
    assert torch.autograd.grad(deep.sum(), low, allow_unused=True) == (None,)


def test_full_attention_to_its_own_layer_is_that_layer_alone() -> None:
    built = connector().eval()
    torch.nn.init.zeros_(built.fusions[0].attend.weight)
    built.fusions[0].attend.bias.data = torch.tensor([50.0, -50.0])
    alone = built.fusions[0].expand(built.fusions[0].reduce(STUDENT['low']))
    assert torch.allclose(built([STUDENT['low'], STUDENT['high']])[0], alone, atol=1e-6)


def test_a_term_compares_what_the_connector_makes_by_the_hierarchical_context() -> None:
    built = term().eval()
    fused = built.fusion([STUDENT['low'], STUDENT['high']])
    pooled = [
        torch.nn.functional.adaptive_avg_pool3d(side, size)
        for side, size in zip((*fused, TEACHER['low'], TEACHER['high']), [(4, 5, 5), (2, 2, 2)] * 2, strict=True)
    ]
    assert torch.allclose(built(STUDENT, TEACHER, {}), hcl(pooled[:2], pooled[2:]), rtol=1e-5)
    assert all(pair.connector is None for pair in built.pairs)


def test_the_dry_run_leaves_its_batch_norms_alone() -> None:
    norm = term().fusion.fusions[0].reduce[1]
    assert norm.training and torch.equal(norm.running_mean, torch.zeros(4))


def test_what_it_cannot_join_is_refused() -> None:
    with pytest.raises(ValueError, match='joins several layers, but FitNetLoss takes one; use a loss of several'):
        term('low', 'FitNetLoss')
    with pytest.raises(ValueError, match=r"joins maps \(N, C, T, H, W\), but \('vector', 'vector'\) are none"):
        term(('low', 'vector'))
    with pytest.raises(
        ValueError, match='AttentionFusionConnector.mid_channels: got 0; expected a whole number of at least 1'
    ):
        AttentionFusionConnector([2], [3], mid_channels=0)
