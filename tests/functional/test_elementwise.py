import torch

from mmkd_video.functional import ab, batch_norm_margin, ofd, pkd


def test_zero_is_an_inactive_neuron() -> None:
    teacher = torch.tensor([[0.0, 1.0]])
    assert ab(torch.tensor([[-1.0, 1.0]]), teacher, 1.0).item() == 0
    assert ab(torch.tensor([[0.5, 1.0]]), teacher, 1.0).item() == 1.5**2


def test_overhaul_asks_nothing_of_neurons_that_both_keep_silent() -> None:
    margin = torch.tensor([-1.0])
    teacher = torch.tensor([-5.0, -5.0, 2.0]).view(1, 1, 1, 3)
    student = torch.tensor([-3.0, 0.0, 1.0]).view(1, 1, 1, 3)
    assert ofd(student, teacher, margin).item() == (0 + 1) ** 2 + (1 - 2) ** 2


def test_pearson_features_of_a_single_value_are_zero() -> None:
    student = torch.randn(1, 3, 1, 1, 1, requires_grad=True)
    value = pkd(student, torch.randn(1, 3, 1, 1, 1))
    value.backward()
    assert value.item() == 0 and student.grad.abs().sum() == 0


def test_margin_is_the_mean_of_the_negative_responses() -> None:
    weight, bias = torch.tensor([2.0, -1.0, 1.0]), torch.tensor([-1.0, 0.5, 9.0])
    responses = bias + weight * torch.randn(400_000, 3, generator=torch.Generator().manual_seed(0))
    expected = [responses[:, c][responses[:, c] < 0].mean() for c in (0, 1)]
    margin = batch_norm_margin(weight, bias)
    assert torch.allclose(margin[:2], torch.stack(expected), rtol=0.01)
    assert margin[2].item() == -3
