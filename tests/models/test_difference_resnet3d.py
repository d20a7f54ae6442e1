import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import torch
from mmaction.models.backbones import ResNet3d

from mmkd_video.models import DifferenceResNet3d

SETTINGS = dict(depth=18, base_channels=4, pretrained=None, pretrained2d=False, conv1_kernel=(3, 3, 3))


def test_it_is_a_resnet_on_the_differences_of_frames():
    torch.manual_seed(0)
    seen, plain = DifferenceResNet3d(gain=3.0, **SETTINGS), ResNet3d(**SETTINGS)
    seen.eval()
    plain.eval()
    plain.load_state_dict(seen.state_dict())
    clip = torch.randn(2, 3, 5, 16, 16)
    with torch.no_grad():
        assert torch.equal(seen(clip), plain(3.0 * (clip[:, :, 1:] - clip[:, :, :-1])))
        torch.testing.assert_close(seen(clip), seen(clip + 7), rtol=1e-4, atol=1e-4)
