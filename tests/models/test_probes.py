"""Heads on frozen encoders, against their formulas."""

import pytest
import torch
import torch.nn.functional as F

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.models import AttentiveProbe, LinearProbe

N, L, C, K = 3, 7, 12, 5


def tokens():
    return torch.randn(N, L, C, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize('heads', [1, 3])
def test_an_attentive_probe_is_one_query_that_looks_at_all_tokens(heads):
    torch.manual_seed(0)
    probe = AttentiveProbe(C, K, num_heads=heads).double()
    for parameter in probe.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    known = F.layer_norm(tokens(), (C,), probe.norm_tokens.weight, probe.norm_tokens.bias)
    key, value = (known @ probe.to_key_value.weight.T + probe.to_key_value.bias).split(C, dim=-1)
    query = probe.query @ probe.to_query.weight.T + probe.to_query.bias
    width, parts = C // heads, []
    for head in range(heads):
        mine = slice(head * width, (head + 1) * width)
        weights = (query[..., mine] @ key[..., mine].transpose(1, 2) / width**0.5).softmax(dim=-1)
        parts.append(weights @ value[..., mine])
    found = (probe.query + torch.cat(parts, dim=-1)).squeeze(1)
    normed = F.layer_norm(found, (C,), probe.norm_pooled.weight, probe.norm_pooled.bias)
    hidden = F.gelu(normed @ probe.mlp[0].weight.T + probe.mlp[0].bias)
    found = found + hidden @ probe.mlp[2].weight.T + probe.mlp[2].bias
    torch.testing.assert_close(probe.pool(tokens()), found)
    torch.testing.assert_close(probe(tokens()), found @ probe.linear.weight.T + probe.linear.bias)


def test_a_linear_probe_reads_the_normalised_mean():
    probe = LinearProbe(C, K).double()
    mean = tokens().mean(dim=1)
    centred = mean - mean.mean(dim=1, keepdim=True)
    pooled = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(probe(tokens()), pooled @ probe.linear.weight.T + probe.linear.bias)


def test_the_order_of_tokens_does_not_matter_and_one_token_is_enough():
    probe = AttentiveProbe(C, K).double()
    torch.testing.assert_close(probe(tokens().flip(1)), probe(tokens()))
    assert probe(tokens()[:, :1]).shape == (N, K)


def test_heads_divide_the_channels():
    assert AttentiveProbe(768, K).num_heads == 12 and AttentiveProbe(C, K).num_heads == 1
    with pytest.raises(WrongValueError, match='num_heads: got 5; expected a number that divides 12 channels'):
        AttentiveProbe(C, K, num_heads=5)
