"""A clip counts its T x H x W places as the authors count the H x W of an image; losses that pool, pool time."""

import pytest
import torch
import torch.nn.functional as F

import mmkd_video.losses as losses

OF_PLACES = {
    'FitNetLoss': {},
    'ATLoss': {},
    'FTLoss': {},
    'ABLoss': {},
    'SPLoss': {},
    'NSTLoss': {},
    'CWDLoss': {'temperature': 4.0},
    'PKDLoss': {},
    'CosineLoss': {},
    'ICKDLoss': {},
    'KDSVDLoss': {'k': 2},
    'OFDLoss': {'margin': [-0.5, -0.2, -0.9]},
}


def clip(frames: int, size: int, channels: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, channels, frames, size, size, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize('name', OF_PLACES)
def test_a_clip_equals_the_image_of_its_places(name: str) -> None:
    loss = getattr(losses, name)(**OF_PLACES[name])
    sides = clip(4, 3, seed=1), clip(4, 3, seed=2)
    images = [side.flatten(2, 3) for side in sides]
    if loss.multi_layer:
        deeper = clip(2, 2, 4, seed=3), clip(2, 2, 4, seed=4)
        sides = [list(pair) for pair in zip(sides, deeper, strict=True)]
        images = [[side.flatten(2, 3) for side in layers] for layers in sides]
    value = loss(*sides)
    assert value > 0
    assert torch.allclose(value, loss(*images), rtol=1e-9)


def test_fsp_averages_time_to_the_shorter_layer() -> None:
    layers = [[clip(4, 4, 3, seed), clip(2, 2, 5, seed + 1)] for seed in (1, 3)]

    def flow(earlier: torch.Tensor, later: torch.Tensor) -> torch.Tensor:
        pooled = earlier.unflatten(4, (2, 2)).unflatten(3, (2, 2)).unflatten(2, (2, 2)).mean((3, 5, 7))
        return torch.einsum('ncthw,ndthw->ncd', pooled, later) / 8

    expected = (flow(*layers[0]) - flow(*layers[1])).square().mean()
    assert torch.allclose(losses.FSPLoss()(*layers), expected)


@pytest.mark.parametrize(('frames', 'sizes'), [(3, [2, 1]), (2, [2, 1]), (1, [1, 1])])
def test_hcl_averages_time_as_far_as_there_is_any(frames: int, sizes: list[int]) -> None:
    student, teacher = clip(frames, 3, seed=1), clip(frames, 3, seed=2)
    pyramid = [(student, teacher)]
    for length, steps in zip((2, 1), sizes, strict=True):
        pyramid.append(tuple(F.adaptive_avg_pool3d(side, (steps, length, length)) for side in (student, teacher)))
    errors = [F.mse_loss(*level) for level in pyramid]
    expected = (errors[0] + errors[1] / 2 + errors[2] / 4) / (1 + 1 / 2 + 1 / 4)
    assert torch.allclose(losses.HCLLoss()([student], [teacher]), expected)


def test_catkd_averages_the_time_of_both_sides() -> None:
    sides = clip(4, 4, seed=1), clip(6, 2, seed=2)
    first, second = (F.adaptive_avg_pool3d(side, 2).flatten(2) for side in sides)
    expected = (F.normalize(first, dim=2) - F.normalize(second, dim=2)).square().mean()
    assert torch.allclose(losses.CATKDLoss(pool=2)(*sides), expected)


@pytest.mark.parametrize('name', ['FSPLoss', 'HCLLoss'])
def test_a_still_clip_equals_its_frame(name: str) -> None:
    loss = getattr(losses, name)()
    images = [[clip(1, 4, seed=seed).squeeze(2), clip(1, 2, seed=seed + 1).squeeze(2)] for seed in (1, 3)]
    clips = [
        [image.unsqueeze(2).expand(-1, -1, frames, -1, -1) for image, frames in zip(side, (4, 2), strict=True)]
        for side in images
    ]
    assert torch.allclose(loss(*clips), loss(*images))
