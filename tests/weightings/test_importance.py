"""Source clips that count as much as they are likely in the target."""

import pytest
import torch

from mmkd_video.terms import Term, TermSpec
from mmkd_video.weightings import build_weighting

SCORES = torch.tensor([[4.0, 0.0], [3.0, 1.0], [0.0, 4.0], [0.5, 3.0], [0.2, 3.5], [0.0, 3.8]])
DOMAINS = torch.tensor([0, 0, 0, 0, 1, 1])


@pytest.mark.parametrize('method', ['classifier', 'kliep', 'kmm'])
def test_clips_like_the_targets_count_more_and_those_of_the_target_one(method):
    weights = build_weighting(dict(type='Importance', method=method, uniform=0.0), 'weight').weigh(
        SCORES, None, DOMAINS
    )
    assert weights[4:].tolist() == [1.0, 1.0] and weights.dtype == torch.float32
    assert max(weights[:2]) < min(weights[2:4]) and weights[:4].mean().item() == pytest.approx(1.0, rel=1e-5)
    half = build_weighting(dict(type='Importance', method=method), 'weight').weigh(SCORES, None, DOMAINS)
    assert half[:4].tolist() == pytest.approx((0.5 + 0.5 * weights[:4]).tolist())
    alone = build_weighting(dict(type='Importance', method=method), 'weight').weigh(SCORES, None, DOMAINS * 0)
    assert alone.tolist() == [1.0] * 6
    low = build_weighting(dict(type='Importance', method=method, largest=1.2, uniform=0.0), 'weight')
    assert low.weigh(SCORES, None, DOMAINS).max().item() <= 1.2 + 1e-6


def test_a_term_passes_the_domains_on():
    context, teacher, gradients = dict(labels=None, labelled=None, domains=DOMAINS), {'logits': SCORES}, []
    for weight in (1.0, dict(type='Importance', uniform=0.0)):
        spec = TermSpec.parse(dict(type='KDLoss', at='logits', weight=weight), 0)
        term = Term(spec, {'logits': SCORES[:1]}, {'logits': SCORES[:1]})
        student = torch.zeros(6, 2, requires_grad=True)
        term({'logits': student}, teacher, context).backward()
        gradients.append(student.grad)
    weights = term.weighting.weigh(SCORES, None, DOMAINS)
    assert torch.allclose(gradients[1], weights[:, None] * gradients[0], atol=1e-6)
    assert term.clip_weight.item() == pytest.approx(weights.mean().item())
    with pytest.raises(ValueError, match='Importance needs the domains of the clips, which the batch lacks'):
        term({'logits': student}, teacher, dict(context, domains=None))


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="method: got 'kl'; expected 'classifier'"):
        build_weighting(dict(type='Importance', method='kl'), 'weight')
    with pytest.raises(ValueError, match='largest: got 1'):
        build_weighting(dict(type='Importance', largest=1.0), 'weight')
