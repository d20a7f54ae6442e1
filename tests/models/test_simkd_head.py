import pytest
import torch
from torch import nn

from mmkd_video.models import SimKDHead


def head(**changes) -> SimKDHead:
    torch.manual_seed(0)
    built = SimKDHead(**{'num_classes': 3, 'in_channels': 4, 'teacher_channels': 6, 'average_clips': 'prob', **changes})
    built.init_weights()
    return built.eval()


def test_scores_are_those_of_the_classifier_on_the_average_of_the_projected_map() -> None:
    built, clips = head(), torch.randn(2, 4, 3, 5, 5)
    expected = built.fc_cls(built.projector(clips).mean((2, 3, 4)))
    assert torch.allclose(built(clips), expected, atol=1e-6) and expected.shape == (2, 3)


def test_frames_of_a_clip_are_averaged_before_the_classifier() -> None:
    built, frames = head(num_segments=3), torch.randn(6, 4, 5, 5)
    expected = built.fc_cls(built.projector(frames).mean((2, 3)).view(2, 3, 6).mean(1))
    assert torch.allclose(built(frames, num_segs=6), expected, atol=1e-6)


@pytest.mark.parametrize(('segments', 'kind'), [(None, nn.Conv3d), (2, nn.Conv2d)])
def test_the_projector_is_a_bottleneck(segments: int | None, kind: type) -> None:
    convolutions = [
        layer for layer in head(num_segments=segments).projector if isinstance(layer, nn.Conv2d | nn.Conv3d)
    ]
    assert [type(layer) for layer in convolutions] == [kind] * 3
    assert [(layer.in_channels, layer.out_channels, layer.kernel_size[0]) for layer in convolutions] == [
        (4, 3, 1),
        (3, 3, 3),
        (3, 6, 1),
    ]


def test_the_classifier_is_adopted_frozen_and_survives_initialisation() -> None:
    built, weight, bias = head(), torch.randn(3, 6), torch.randn(3)
    built.adopt_classifier(weight, bias)
    built.init_weights()
    assert torch.equal(built.fc_cls.weight, weight) and torch.equal(built.fc_cls.bias, bias)
    assert not built.fc_cls.weight.requires_grad and not built.fc_cls.bias.requires_grad


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match='reads 7 channels and gives 3 classes, but SimKDHead has teacher_channels=6'):
        head().adopt_classifier(torch.zeros(3, 7), torch.zeros(3))
    with pytest.raises(ValueError, match='SimKDHead.reduction: got 0; expected a whole number of at least 1'):
        head(reduction=0)
