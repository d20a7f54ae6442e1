"""Values of the losses with learned parts, by their published formulas written again in NumPy."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmkd_video.losses import CRDLoss, FBKDLoss, MARSLoss, MGDLoss, ParaphrasedFTLoss, SemCKDLoss


def clips(channels: int = 3, seed: int = 0, shape: tuple = (2, 4, 4)) -> torch.Tensor:
    return torch.randn(2, channels, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def linear(layer: torch.nn.Linear, feature: np.ndarray) -> np.ndarray:
    return feature @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def test_mgd_is_the_squared_error_of_what_is_restored_summed_over_a_clip() -> None:
    torch.manual_seed(0)
    loss, student, teacher = MGDLoss(3).double(), clips(seed=1), clips(seed=2)
    mask = torch.rand(2, 4, 4) < 0.4
    seen = student.clone()
    for n, y, x in mask.nonzero().tolist():
        seen[n, :, :, y, x] = 0
    first, last = loss.generator[0], loss.generator[2]
    restored = F.conv3d(seen, first.weight, first.bias, padding=1).clamp_min(0)
    restored = F.conv3d(restored, last.weight, last.bias, padding=1)
    expected = ((restored - teacher).detach().numpy() ** 2).sum() / 2
    assert loss(student, teacher, mask=mask).item() == pytest.approx(expected)


def test_crd_is_noise_contrastive_estimation_in_both_directions() -> None:
    """Equations 9 to 19 of the paper, without logarithms of odds."""
    torch.manual_seed(0)
    num_samples, num_negatives, temperature = 9, 6, 0.5
    loss = CRDLoss(3, 4, num_samples, dim=5, num_negatives=num_negatives, temperature=temperature).double().eval()
    student, teacher, indices = torch.randn(2, 3).double(), torch.randn(2, 4).double(), torch.tensor([7, 2])
    torch.manual_seed(1)
    value = loss(student, teacher, indices=indices).item()

    torch.manual_seed(1)
    drawn = torch.randint(num_samples - 1, (2, num_negatives)).numpy()
    drawn = drawn + (drawn >= indices.numpy()[:, None])
    expected = 0.0
    for layer, feature, bank in (
        (loss.embed_student, student, loss.teacher_bank),
        (loss.embed_teacher, teacher, loss.student_bank),
    ):
        embedded = linear(layer, feature.numpy())
        embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
        bank = bank.numpy()
        rows = np.concatenate([indices.numpy()[:, None], drawn], axis=1)
        powers = np.exp(np.einsum('nd,nkd->nk', embedded, bank[rows]) / temperature)
        probability = powers / (powers.mean() * num_samples)
        noise = num_negatives / num_samples
        is_data = probability / (probability + noise)
        expected -= (np.log(is_data[:, 0]) + np.log(1 - is_data[:, 1:]).sum(1)).mean()
    assert value == pytest.approx(expected)


def fbkd(**weights: float) -> FBKDLoss:
    torch.manual_seed(0)
    loss = FBKDLoss(
        3, **{'temperature': 0.7, 'feature': 2.0, 'channels': 3.0, 'places': 5.0, 'relations': 7.0, **weights}
    )
    for parameter in loss.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return loss.double()


def test_fbkd_is_four_weighted_distances() -> None:
    loss, sides = fbkd(), [clips(seed=1), clips(seed=2)]
    rows = [side.flatten(2).mT.numpy() for side in sides]  # (N, P, C)
    num_places = rows[0].shape[1]
    attention = [softmax(np.abs(side).mean(2) / 0.7) * num_places for side in rows]
    root = np.sqrt((attention[0] + attention[1]) / 2)[..., None]
    feature = np.linalg.norm(linear(loss.adapt_feature, rows[0]) * root - rows[1] * root)
    channels = np.linalg.norm(linear(loss.adapt_channels, rows[0].mean(1)) - rows[1].mean(1))
    maps = [side.mean(1, keepdim=True) for side in sides]
    adapted = F.conv3d(maps[0], loss.adapt_places.weight, loss.adapt_places.bias, padding=1)
    places = np.linalg.norm((adapted - maps[1]).detach().numpy())

    def non_local(block: torch.nn.Module, feature: np.ndarray) -> np.ndarray:
        query, key, value = np.split(linear(block.embed, feature), 3, axis=2)
        return feature + linear(block.out, query @ key.swapaxes(1, 2) @ value / num_places)

    ours = linear(loss.adapt_relations, non_local(loss.student_relations, rows[0]))
    relations = np.linalg.norm(ours - non_local(loss.teacher_relations, rows[1]))
    expected = 2 * feature + 3 * channels + 5 * places + 7 * relations
    assert loss(*sides).item() == pytest.approx(expected)


def test_gradient_of_fbkd_is_the_derivative_with_the_mask_held() -> None:
    loss, student, teacher = fbkd(), clips(seed=1).requires_grad_(), clips(seed=2)
    gradient = torch.autograd.grad(loss(student, teacher), student)[0]
    attention = [loss._attention(side.detach().flatten(2).mT) for side in (student, teacher)]
    mean = (attention[0] + attention[1]) / 2
    loss._attention = lambda feature: mean
    assert torch.allclose(gradient, torch.autograd.grad(loss(student, teacher), student)[0])
    assert torch.autograd.gradcheck(lambda student: loss(student, teacher), student, atol=1e-6)


def test_gradient_of_crd_is_the_derivative_once_its_constants_are_known() -> None:
    torch.manual_seed(0)
    loss = CRDLoss(3, 4, num_samples=9, dim=5, num_negatives=6, temperature=0.5).double()
    teacher, indices = torch.randn(2, 4).double(), torch.tensor([7, 2])
    loss(torch.randn(2, 3).double(), teacher, indices=indices)  # the constants of the first batch
    loss.eval()
    student = torch.randn(2, 3).double().requires_grad_()

    def value(student: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(1)
        return loss(student, teacher, indices=indices)

    assert loss.log_partitions.isfinite().all()
    assert torch.autograd.gradcheck(value, student, atol=1e-6)


def test_paraphrased_ft_is_reconstruction_plus_transfer_times_ft() -> None:
    torch.manual_seed(0)
    loss, student, teacher = ParaphrasedFTLoss(3, 4, transfer=500.0).double(), clips(3), clips(4, seed=1)
    factor, translated = loss.paraphraser(teacher), loss.translator(student)
    assert factor.shape == translated.shape == (2, 2, 2, 4, 4)
    rebuilt, ours, theirs = (x.detach().numpy() for x in (loss.reconstruction(factor), translated, factor))
    ours, theirs = (x.reshape(2, -1) / np.linalg.norm(x.reshape(2, -1), axis=1, keepdims=True) for x in (ours, theirs))
    expected = np.abs(rebuilt - teacher.numpy()).mean() + 500 * np.abs(ours - theirs).mean()
    assert loss(student, teacher).item() == pytest.approx(expected)
    waiting = ParaphrasedFTLoss(3, 4, transfer=0.0).double()
    waiting.load_state_dict(loss.state_dict())
    waiting.transfer = 500.0
    with torch.no_grad():
        theirs = loss.eval().paraphraser(teacher).numpy().reshape(2, -1)
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    assert waiting(student, teacher).item() == pytest.approx(500 * np.abs(ours - theirs).mean())


def test_paraphrased_ft_has_the_networks_of_its_authors() -> None:
    """Their code is for images: for a single frame, of which a 3x3x3 convolution sees its middle slice only."""
    torch.manual_seed(0)
    loss = ParaphrasedFTLoss(3, 4, transfer=500.0).double()
    student, teacher = clips(3, shape=(1, 4, 4)), clips(4, seed=1, shape=(1, 4, 4))

    def run(network: torch.nn.Sequential, image: torch.Tensor, convolve: callable) -> torch.Tensor:
        layers = [layer for layer in network if hasattr(layer, 'weight')]
        assert len(layers) == 3 and len(network) == 6 and all(layer.bias is not None for layer in layers)
        for layer in layers:
            image = convolve(image, layer.weight[:, :, 1], layer.bias, padding=1)
            image = torch.where(image > 0, image, 0.1 * image)
        return image

    factor = run(loss.paraphraser, teacher[:, :, 0], F.conv2d)
    rebuilt = run(loss.reconstruction, factor, F.conv_transpose2d)
    ours, theirs = run(loss.translator, student[:, :, 0], F.conv2d).flatten(1), factor.flatten(1)
    distance = (F.normalize(ours) - F.normalize(theirs)).abs().mean()
    expected = (rebuilt - teacher[:, :, 0]).abs().mean() + 500 * distance
    assert loss(student, teacher).item() == pytest.approx(expected.item())


def test_mars_is_the_mean_squared_error_of_pooled_vectors() -> None:
    student, teacher = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[0.0, 2.0], [1.0, 1.0]])
    expected = (1 + 0 + 4 + 4) / 4
    assert MARSLoss()(torch.from_numpy(student), torch.from_numpy(teacher)).item() == expected


def test_semckd_weighs_each_pair_of_layers_by_its_attention() -> None:
    torch.manual_seed(0)
    loss = SemCKDLoss([2, 3], [3, 4], dim=2).double()
    student = [clips(2, 1, (2, 4, 4)), clips(3, 2, (2, 2, 2))]
    teacher = [clips(3, 3, (2, 4, 4)), clips(4, 4, (2, 2, 2))]
    means = [[side.flatten(2).mean(2).numpy() for side in layers] for layers in (student, teacher)]
    query, key = (
        np.stack([linear(layer, mean) for layer, mean in zip(layers, side, strict=True)], axis=1)
        for layers, side in zip((loss.queries, loss.keys), means, strict=True)
    )
    attention = softmax(query @ key.swapaxes(1, 2) / np.sqrt(2))
    expected = 0.0
    for i, ours in enumerate(student):
        for j, theirs in enumerate(teacher):
            if i != j:  # the larger one is averaged over 2 x 2 places
                ours_here, theirs_here = (
                    side.unflatten(4, (2, -1)).unflatten(3, (2, -1)).mean((4, 6)) for side in (ours, theirs)
                )
            else:
                ours_here, theirs_here = ours, theirs
            rows, target = (side.flatten(2).mT.numpy() for side in (ours_here, theirs_here))
            error = ((linear(loss.projections[i][j], rows) - target) ** 2).mean((1, 2))
            expected += (attention[:, i, j] * error).mean() / 2
    assert loss(student, teacher).item() == pytest.approx(expected)
