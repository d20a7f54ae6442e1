import copy

import pytest
import timm_models
import torch
from torch import nn
from zoo import MEAN_STD

from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.export import DeployableRecognizer
from mmkd_video.recognizers.reparameterized import reparameterize


def lively(model):
    """Give batch norms statistics of their own, and let no branch be scaled to nothing."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
    for name, each in model.named_parameters():
        if name.endswith('gamma'):
            each.data.fill_(0.5)
    model.eval()
    return model


class Fusing(nn.Module):
    """A convolution and its norm that become one convolution, rightly or not."""

    def __init__(self, error=0.0):
        super().__init__()
        self.conv, self.norm, self.error = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), error

    def forward(self, x):
        return self.norm(self.conv(x))

    def fuse(self):
        norm, made = self.norm, nn.Conv2d(4, 4, 3, padding=1)
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        made.weight.data = self.conv.weight * scale[:, None, None, None]
        made.bias.data = norm.bias - norm.running_mean * scale + self.error
        return made


@pytest.mark.parametrize('error', [0.0, 0.1])
def test_what_would_compute_something_else_stays_as_it_was(error):
    network = lively(nn.Sequential(nn.Conv2d(3, 4, 1), Fusing(error), nn.Conv2d(4, 2, 1)))
    frames = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        expected = network(frames)
        assert reparameterize(network) == (0 if error else 1)
        torch.testing.assert_close(network(frames), expected, rtol=1e-5, atol=1e-5)
    assert isinstance(network[1], Fusing if error else nn.Conv2d)
    assert reparameterize(network) == 0


def test_a_recognizer_is_deployed_so_and_trains_on_as_it_was(monkeypatch):
    net = nn.Sequential(nn.Conv2d(3, 4, 1), Fusing())
    monkeypatch.setitem(MODELS.module_dict, 'FusingNet', lambda: net)
    model = lively(
        build_model(
            dict(
                type='Recognizer2D',
                backbone=dict(type='FusingNet'),
                cls_head=dict(type='TSNHead', num_classes=5, in_channels=4, average_clips='prob'),
                data_preprocessor=dict(type='ActionDataPreprocessor', **MEAN_STD, format_shape='NCHW'),
            )
        )
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    deployed = DeployableRecognizer(model)
    assert isinstance(deployed.recognizer.backbone[1], nn.Conv2d)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.state_dict().keys() == before.keys()


@pytest.mark.torchvision
@pytest.mark.parametrize(
    ('name', 'least'), [('fastvit_t8', 25), ('repvit_m0_9', 90), ('repvgg_a0', 22), ('mobileone_s0', 20)]
)
def test_models_of_timm_compute_the_same_with_fewer_layers(name, least):
    alone = dict(type='TimmBackbone', model=name)
    model = lively(MODELS.build(timm_models.tsm(name)['backbone'] if name in timm_models.NAMES else alone))
    merged = copy.deepcopy(model)
    assert reparameterize(merged) >= least
    frames = torch.randn(timm_models.FRAMES, 3, 64, 64)
    with torch.no_grad():
        expected, got = model(frames), merged(frames)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
    assert len(list(merged.parameters())) < 0.7 * len(list(model.parameters()))
    assert reparameterize(merged) == 0
