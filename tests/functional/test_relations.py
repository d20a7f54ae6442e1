import torch

from mmkd_video.functional import cc, rkd_angles, rkd_distances
from mmkd_video.functional.relations import pairwise_distances


def test_angles_in_chunks_have_the_same_value_and_gradient() -> None:
    student, teacher = (
        torch.randn(7, 5, dtype=torch.float64, requires_grad=True),
        torch.randn(7, 3, dtype=torch.float64),
    )
    whole = rkd_angles(student, teacher)
    gradient = torch.autograd.grad(whole, student)[0]
    chunked = rkd_angles(student, teacher, chunk_elements=2 * 7 * (5 + 3 + 14))
    assert torch.allclose(chunked, whole, rtol=1e-12)
    assert torch.allclose(torch.autograd.grad(chunked, student)[0], gradient, rtol=1e-12)


def test_angles_hold_few_numbers_for_the_backward_pass() -> None:
    sizes = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        sizes.append(tensor.numel())
        return tensor

    student, teacher = torch.randn(16, 5, requires_grad=True), torch.randn(16, 3)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        rkd_angles(student, teacher, chunk_elements=2 * 16 * (5 + 3 + 2 * 16))
    assert max(sizes) <= student.numel(), 'cosines at all vertices are kept at a time'


def test_distances_are_precise_far_from_the_origin() -> None:
    """The expansion into squares and products would lose all digits of float32 here."""
    feature = torch.tensor([[1e4, 1e4], [1e4 + 0.125, 1e4]])
    assert pairwise_distances(feature)[0, 1].item() == 0.125


def test_relations_ignore_the_scale_of_the_student() -> None:
    student = torch.randn(5, 4, dtype=torch.float64)
    assert rkd_distances(student, 3 * student).item() < 1e-20
    assert rkd_angles(student, 3 * student).item() < 1e-20


def test_congruence_multiplies_consecutive_errors() -> None:
    student, teacher = torch.tensor([[1.0], [-2.0], [3.0]]), torch.zeros(3, 1)
    assert cc(student, teacher).item() == (1 * 2 + 2 * 3) / 2
