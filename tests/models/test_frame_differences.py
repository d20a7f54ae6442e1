import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import pytest
import torch
from mmaction.models.backbones import MobileNetV2TSM, ResNetTSM

from mmkd_video.models import DifferenceMobileNetV2TSM, DifferenceResNetTSM
from mmkd_video.models.frame_differences import frame_differences

COMMON = dict(pretrained=None, pretrained2d=False, num_segments=4)
PAIRS = [
    (DifferenceMobileNetV2TSM, MobileNetV2TSM, dict(COMMON, widen_factor=0.25)),
    (DifferenceResNetTSM, ResNetTSM, dict(COMMON, depth=18, norm_eval=False)),
]


def test_each_frame_is_compared_with_the_one_before_in_its_own_clip():
    frames = torch.tensor([1.0, 2.0, 4.0, 10.0, 10.0, 13.0]).reshape(6, 1, 1, 1)
    changes = frame_differences(frames, num_segments=3, gain=2.0)
    assert changes.shape == (6, 1, 1, 1)
    assert changes.flatten().tolist() == [2.0, 2.0, 4.0, 0.0, 0.0, 6.0]


@pytest.mark.parametrize('kind, plain_kind, settings', PAIRS)
def test_it_is_the_backbone_on_the_differences_of_frames(kind, plain_kind, settings):
    torch.manual_seed(0)
    seen, plain = kind(gain=3.0, **settings), plain_kind(**settings)
    seen.eval()
    plain.eval()
    plain.load_state_dict(seen.state_dict())
    frames = torch.randn(8, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(seen(frames), plain(frame_differences(frames, 4, 3.0)))
        torch.testing.assert_close(seen(frames), seen(frames + 7), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('kind, plain_kind, settings', PAIRS)
def test_a_gain_that_is_not_positive_is_refused(kind, plain_kind, settings):
    with pytest.raises(ValueError, match='gain: got 0.0'):
        kind(gain=0.0, **settings)


def test_strides_keep_the_resolution_of_the_mobilenet():
    kept = DifferenceMobileNetV2TSM(strides=(1, 2, 2, 1, 1, 2, 1), **PAIRS[0][2])
    usual = DifferenceMobileNetV2TSM(**PAIRS[0][2])
    assert [layer[3] for layer in MobileNetV2TSM.arch_settings] == [1, 2, 2, 2, 1, 2, 1], 'the class stays as it was'
    with torch.no_grad():
        assert [tuple(each(torch.randn(4, 3, 48, 48)).shape[2:]) for each in (kept, usual)] == [(3, 3), (2, 2)]


@pytest.mark.parametrize('strides', [(1, 2), (1, 2, 2, 3, 1, 2, 1), 2])
def test_wrong_strides_are_named(strides):
    with pytest.raises(ValueError, match=r'strides(\[3\])?: got'):
        DifferenceMobileNetV2TSM(strides=strides, **PAIRS[0][2])
