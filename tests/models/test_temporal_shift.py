import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import copy

import pytest
import torch
from mmaction.models.backbones import MobileNetV2TSM, ResNetTSM
from torch import nn
from zoo import MEAN_STD

from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.models import TemporalShiftBackbone
from mmkd_video.models.residual_branches import find_residual_branches
from mmkd_video.pruning.shift import shifted_layers
from mmkd_video.recognizers.families import frames_in_the_batch
from mmkd_video.taps import TapSet

RESNET = dict(type='ResNet', depth=18, pretrained=None, norm_eval=False)
MOBILENET = dict(type='MobileNetV2', widen_factor=0.5, pretrained=None)


def shifted(net, **keys):
    torch.manual_seed(0)
    return TemporalShiftBackbone(net, num_segments=4, **keys)


def plain_names(state):
    return {name.replace('.net.', '.'): value for name, value in state.items()}


@pytest.mark.parametrize(
    'net, theirs, shift_div',
    [
        (RESNET, lambda **keys: ResNetTSM(depth=18, norm_eval=False, **keys), 8),
        (dict(RESNET, depth=50), lambda **keys: ResNetTSM(depth=50, norm_eval=False, **keys), 8),
        (MOBILENET, lambda **keys: MobileNetV2TSM(widen_factor=0.5, **keys), 4),
    ],
    ids=['resnet18', 'resnet50', 'mobilenet'],
)
def test_computes_what_the_shifted_backbones_of_mmaction2_compute(net, theirs, shift_div):
    ours = shifted(net, shift_div=shift_div)
    theirs = theirs(num_segments=4, shift_div=shift_div, pretrained=None, pretrained2d=False)
    places = {name.replace('.net.', '.'): name for name in theirs.state_dict()}
    theirs.load_state_dict({places[name]: value for name, value in plain_names(ours.net.state_dict()).items()})
    ours.eval()
    theirs.eval()
    frames = torch.randn(8, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(ours(frames), theirs(frames))
        backwards = ours(frames.flip(0)).flip(0)
        assert not torch.allclose(ours(frames), backwards, rtol=0.05, atol=0.0), 'the order of frames must count'


def test_a_resnet_has_the_weights_of_mmaction2s_by_name():
    theirs = ResNetTSM(depth=18, norm_eval=False, num_segments=4, pretrained=None, pretrained2d=False)
    assert shifted(RESNET).net.state_dict().keys() == theirs.state_dict().keys()


def test_no_frame_looks_beyond_its_clip():
    model = shifted(RESNET).eval()
    frames = torch.randn(8, 3, 32, 32)
    changed = torch.cat([frames[:4], torch.randn(4, 3, 32, 32)])
    with torch.no_grad():
        before, after = model(frames), model(changed)
    assert torch.equal(before[:4], after[:4]) and not torch.allclose(before[4:], after[4:])


def test_pretrained_weights_are_those_of_the_plain_backbone(tmp_path):
    plain = MODELS.build(copy.deepcopy(RESNET))
    torch.save(plain.state_dict(), tmp_path / 'plain.pth')
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'plain.pth'))
    model = shifted(dict(RESNET, init_cfg=init))
    names = list(model.state_dict())
    model.init_weights()
    assert list(model.state_dict()) == names
    for name, value in plain_names(model.net.state_dict()).items():
        assert torch.equal(value, plain.state_dict()[name]), name


def test_a_recognizer_trains_a_step_and_its_taps_are_laid_out():
    model = build_model(
        dict(
            type='Recognizer2D',
            backbone=dict(type='TemporalShiftBackbone', net=MOBILENET, num_segments=4),
            cls_head=dict(type='TSMHead', num_classes=5, in_channels=1280, num_segments=4, is_shift=True),
            data_preprocessor=dict(type='ActionDataPreprocessor', **MEAN_STD, format_shape='NCHW'),
        )
    )
    assert frames_in_the_batch(model.backbone) == 4
    taps = TapSet(model, ['backbone.net.layer4', 'backbone', 'pooled', 'logits'], 'student')
    clips = torch.randn(2, 4, 3, 32, 32)
    with taps.watch():
        scores = model.extract_feat(clips, stage='head')[0]
    found = {name: tuple(value.shape) for name, value in taps.read(clips).items()}
    expected = dict(pooled=(2, 1280), logits=(2, 5))
    assert found == {'backbone.net.layer4': (2, 32, 4, 2, 2), 'backbone': (2, 1280, 4, 1, 1), **expected}
    scores.sum().backward()
    assert all(each.grad is not None for each in model.parameters())


class Reparameterized(nn.Module):
    """Two convolutions that become one."""

    def __init__(self):
        super().__init__()
        self.wide, self.point, self.norm = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)

    def forward(self, x):
        return x + self.point(self.norm(self.wide(x)))

    def reparameterize(self):
        raise AssertionError('nobody asked for it')


class Block(nn.Module):
    """A branch of two convolutions, and a shortcut."""

    def __init__(self, shortcut, first=None):
        super().__init__()
        self.first, self.second = first or nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1)
        self.shortcut = shortcut

    def forward(self, x):
        y = self.second(self.first(x).relu_())
        y += self.shortcut(x)
        return y.relu_()


def conv():
    return nn.Conv2d(8, 8, 1)


@pytest.mark.parametrize(
    'network, found',
    [
        (Block(nn.Identity()), ['first']),
        (Block(nn.Sequential(nn.AvgPool2d(1), conv(), nn.BatchNorm2d(8))), ['first']),
        (Block(nn.Sequential(conv(), conv())), []),
        (Block(nn.Identity(), nn.Sequential(nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1))), ['first.0']),
        (Block(nn.Identity(), Reparameterized()), ['first']),
        (nn.Sequential(conv(), Reparameterized()), []),
        (nn.Sequential(Block(nn.Identity()), Block(conv())), ['0.first', '1.first']),
        (Block(nn.Identity(), Block(nn.Identity())), ['first.first']),
        (nn.Sequential(conv(), nn.ReLU(inplace=True), conv()), []),
    ],
    ids=['plain', 'projected', 'two ways', 'norm first', 'one layer', 'inside one', 'row', 'nested', 'no branch'],
)
def test_where_residual_branches_begin(network, found):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert find_residual_branches(nn.Sequential(nn.Conv2d(3, 8, 1), network)) == [f'1.{name}' for name in found]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_what_shifts_already_is_refused():
    with pytest.raises(ValueError, match='got ResNetTSM, which shifts its channels already'):
        shifted(dict(type='ResNetTSM', depth=18, pretrained=None, pretrained2d=False))


def test_what_has_no_residual_branch_is_refused(monkeypatch):
    monkeypatch.setitem(MODELS.module_dict, 'PlainStack', lambda: nn.Sequential(nn.Conv2d(3, 8, 1)))
    with pytest.raises(ValueError, match='got Sequential, in which no residual branch was found'):
        shifted(dict(type='PlainStack'))


@pytest.mark.parametrize('wrong', [dict(shift_div=1), dict(shift_div='8')])
def test_wrong_numbers_are_named(wrong):
    with pytest.raises(ValueError, match='shift_div: got'):
        shifted(RESNET, **wrong)


def test_a_shift_before_a_norm_is_not_pruned(monkeypatch):
    first = nn.Sequential(nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1))
    net = nn.Sequential(nn.Conv2d(3, 8, 1), Block(nn.Identity(), first))
    monkeypatch.setitem(MODELS.module_dict, 'NormFirst', lambda: net)
    with pytest.raises(ValueError, match='pruning: got a shift before net.1.first.0.net, a BatchNorm2d'):
        shifted_layers(shifted(dict(type='NormFirst')))
