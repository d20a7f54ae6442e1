import pytest
import torch
import torch.nn.functional as F

from mmkd_video.functional import ickd, nst


@pytest.mark.parametrize('positions', [2, 9], ids=['few positions', 'many positions'])
def test_neuron_selectivity_is_the_discrepancy_of_polynomial_kernels(positions: int) -> None:
    student = torch.randn(2, 4, positions, 1, dtype=torch.float64)
    teacher = torch.randn(2, 6, positions, 1, dtype=torch.float64)
    s, t = (F.normalize(feature.flatten(2), dim=2) for feature in (student, teacher))

    def kernel(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return (torch.einsum('ncp,ndp->ncd', first, second) ** 2).mean()

    expected = kernel(s, s) + kernel(t, t) - 2 * kernel(s, t)
    assert torch.allclose(nst(student, teacher), expected)


@pytest.mark.parametrize('positions', [2, 9], ids=['few positions', 'many positions'])
def test_neuron_selectivity_in_chunks_has_the_same_value_and_gradient(positions: int) -> None:
    student = torch.randn(5, 4, positions, 1, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(5, 6, positions, 1, dtype=torch.float64)
    whole = nst(student, teacher)
    chunked = nst(student, teacher, chunk_elements=2 * 3 * min(positions, 6) ** 2)
    assert torch.allclose(chunked, whole, rtol=1e-12)
    gradients = [torch.autograd.grad(value, student)[0] for value in (whole, chunked)]
    assert torch.allclose(*gradients, rtol=1e-12) and gradients[0].abs().sum() > 0


def test_neuron_selectivity_holds_few_numbers_for_the_backward_pass() -> None:
    sizes = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        sizes.append(tensor.numel())
        return tensor

    student, teacher = torch.randn(8, 32, 6, 6, requires_grad=True), torch.randn(8, 32, 6, 6)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        nst(student, teacher, chunk_elements=32**2)
    assert max(sizes) <= student.numel()
    assert sum(size >= 32**2 * 8 for size in sizes) <= 4, 'kernels of all samples are kept at a time'


def test_channel_correlation_ignores_the_order_of_positions() -> None:
    student, teacher = torch.randn(2, 3, 8), torch.randn(2, 3, 8)
    shuffled = student.view(2, 3, 2, 4)[..., torch.randperm(4)]
    value = ickd(shuffled, teacher.view(2, 3, 2, 4))
    assert torch.allclose(value, ickd(student.view(2, 3, 2, 4), teacher.view(2, 3, 2, 4)))
