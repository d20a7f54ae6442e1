import pytest
import torch
import torch.nn.functional as F

from mmkd_video.functional import channel_correlation, neuron_selectivity


@pytest.mark.parametrize('positions', [2, 9], ids=['few positions', 'many positions'])
def test_neuron_selectivity_is_the_discrepancy_of_polynomial_kernels(positions: int) -> None:
    student = torch.randn(2, 4, positions, 1, dtype=torch.float64)
    teacher = torch.randn(2, 6, positions, 1, dtype=torch.float64)
    s, t = (F.normalize(feature.flatten(2), dim=2) for feature in (student, teacher))

    def kernel(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return (torch.einsum('ncp,ndp->ncd', first, second) ** 2).mean()

    expected = kernel(s, s) + kernel(t, t) - 2 * kernel(s, t)
    assert torch.allclose(neuron_selectivity(student, teacher), expected)


def test_channel_correlation_ignores_the_order_of_positions() -> None:
    student, teacher = torch.randn(2, 3, 8), torch.randn(2, 3, 8)
    shuffled = student.view(2, 3, 2, 4)[..., torch.randperm(4)]
    value = channel_correlation(shuffled, teacher.view(2, 3, 2, 4))
    assert torch.allclose(value, channel_correlation(student.view(2, 3, 2, 4), teacher.view(2, 3, 2, 4)))
