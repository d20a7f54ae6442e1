"""How much each member of an ensemble counts, in closed form."""

import torch

from mmkd_video.teachers import MembersStep
from mmkd_video.teachers.ensemble import BestWeighting, ConfidenceWeighting, EntropyWeighting, GradientWeighting
from mmkd_video.teachers.ensemble.weighting import as_targets

CLASSES = 5


def given(labels=None, student=None, temperature=1.0, members=3):
    generator = torch.Generator().manual_seed(1)
    found = 2 * torch.randn(members, 4, CLASSES, generator=generator)
    return MembersStep(found, labels, student, temperature)


def one_hot(*labels):
    return torch.stack([torch.eye(CLASSES)[label] if label >= 0 else torch.zeros(CLASSES) for label in labels])


def test_confident_members_count_more():
    step = given(one_hot(0, 1, -1, 3))
    wrong = -step.scores.log_softmax(-1)[:, torch.arange(4), torch.tensor([0, 1, 0, 3])]
    expected = (1 - wrong.exp() / wrong.exp().sum(0)) / 2
    expected[:, 2] = 1 / 3  # without a label
    assert torch.allclose(ConfidenceWeighting().weigh(step), expected, atol=1e-6)
    assert torch.allclose(ConfidenceWeighting().weigh(given()), torch.full((3, 4), 1 / 3))


def test_soft_labels_weigh_too():
    soft = torch.full((4, CLASSES), 0.2)
    step = given(soft)
    wrong = -(0.2 * step.scores.log_softmax(-1)).sum(-1)
    assert torch.allclose(ConfidenceWeighting().weigh(step), (1 - wrong.softmax(0)) / 2, atol=1e-6)


def test_sure_members_count_more():
    step = given()
    entropy = torch.distributions.Categorical(logits=step.scores).entropy()
    assert torch.allclose(EntropyWeighting().weigh(step), (1 - entropy / entropy.sum(0)) / 2, atol=1e-6)
    sure = MembersStep(1e4 * torch.eye(CLASSES)[:4].expand(3, 4, CLASSES), None, None, 1.0)
    assert torch.allclose(EntropyWeighting().weigh(sure), torch.full((3, 4), 1 / 3))


def test_the_best_member_teaches_alone():
    labels = one_hot(0, 1, -1, 3)
    step = given(labels)
    losses = -(labels * step.scores.log_softmax(-1)).sum(-1)
    losses[:, 2] = torch.distributions.Categorical(logits=step.scores).entropy()[:, 2]
    assert BestWeighting().weigh(step).argmax(0).tolist() == losses.argmin(0).tolist()
    assert torch.equal(BestWeighting().weigh(step).sum(0), torch.ones(4))


def test_gradients_of_members_decide_without_a_backward_pass():
    student = torch.randn(4, CLASSES, generator=torch.Generator().manual_seed(2)).requires_grad_()
    step = given(student=student.detach(), temperature=4.0)
    weights = GradientWeighting(1.0).weigh(step).flatten()
    gradients = []
    for scores in step.scores:
        loss = torch.nn.functional.kl_div(
            (student / 4).log_softmax(-1), (scores / 4).softmax(-1), reduction='batchmean'
        )
        gradients.append(torch.autograd.grad(loss, student)[0].mean(0))
    combined = weights @ torch.stack(gradients)
    for other in torch.rand(200, 3, generator=torch.Generator().manual_seed(3)):
        assert combined.norm() <= (other / other.sum() @ torch.stack(gradients)).norm() + 1e-7
    assert GradientWeighting(0.4).weigh(step).max() <= 0.4 + 1e-6


def test_labels_of_every_kind_become_probabilities():
    assert as_targets(None, 3) is None
    assert as_targets(torch.tensor([1, -1]), 3).tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    found = as_targets(torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.25, 0.75, 0.0]]), 3)
    assert found.tolist() == [[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.25, 0.75, 0.0]]
    step = MembersStep(torch.zeros(1, 2, 3), as_targets(torch.tensor([1, -1]), 3), None, 1.0)
    assert step.labelled.tolist() == [True, False]
