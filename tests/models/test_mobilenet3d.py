"""MobileNetV2 over space and time."""

import pytest
import torch
from mmengine.config import Config

from mmkd_video.core.registry import MODELS
from mmkd_video.models import MobileNet3d
from mmkd_video.models.mobilenet3d import round_channels
from mmkd_video.recognizers.complexity import measure_complexity
from mmkd_video.recognizers.input_form import noise_clip
from mmkd_video.taps import TapSet

CLIPS = (2, 3, 8, 32, 32)
MobileNetV2 = MODELS.get('MobileNetV2')  # MMAction2's


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize('widen', [0.25, 1.0, 1.4])
def test_differs_from_the_2d_network_by_the_time_of_its_spatial_kernels_alone(widen):
    flat, deep = MobileNetV2(widen_factor=widen), MobileNet3d(widen_factor=widen)
    spatial = sum(p.numel() for p in flat.parameters() if p.ndim == 4 and p.shape[-1] == 3)
    more_last = parameters(deep.conv2) - parameters(flat.conv2)  # MMAction2 does not round the last width
    assert parameters(deep) == parameters(flat) + 2 * spatial + more_last
    assert abs(more_last) <= 8 * (deep.layer7[-1].conv[-1].conv.out_channels + 2)


def test_time_and_space_shrink_as_the_strides_say():
    model = MobileNet3d(0.25, temporal_strides=(2, 1, 1, 2, 1, 1, 2, 1), out_indices=range(8)).eval()
    shapes = [tuple(x.shape[2:]) for x in model(torch.randn(CLIPS))]
    assert shapes == [(4, 16, 16), (4, 8, 8), (2, 4, 4), (2, 2, 2), (2, 2, 2), (1, 1, 1), (1, 1, 1), (1, 1, 1)]


def test_space_shrinks_where_it_shall():
    model = MobileNet3d(0.25, spatial_strides=(2, 1, 2, 2, 1, 1, 2, 1), out_indices=range(8)).eval()
    shapes = [x.shape[-1] for x in model(torch.randn(CLIPS))]
    assert shapes == [16, 8, 4, 4, 4, 2, 2, 2]


def test_factorized_kernels_see_the_same_frames_with_fewer_weights():
    whole, factorized = MobileNet3d(0.25), MobileNet3d(0.25, factorized=True)
    kernels = {tuple(m.weight.shape[2:]) for m in factorized.modules() if isinstance(m, torch.nn.Conv3d)}
    assert kernels == {(1, 1, 1), (1, 3, 3), (3, 1, 1), (3, 3, 3)}  # the last is conv1's
    depthwise = [
        sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Conv3d) and m.groups > 1)
        for model in (whole, factorized)
    ]
    assert depthwise[1] * 27 == depthwise[0] * 12
    assert whole(torch.randn(CLIPS)).shape == factorized(torch.randn(CLIPS)).shape


@pytest.mark.parametrize('factorized', [False, True])
def test_every_depthwise_layer_looks_across_frames(factorized):
    model = MobileNet3d(0.25, temporal_strides=(1,) * 8, factorized=factorized, out_indices=(0,)).eval()
    clip = torch.randn(CLIPS)
    changed = clip.clone()
    changed[:, :, 4] += 1
    differs = (model(clip) - model(changed)).abs().amax(dim=(0, 1, 3, 4)) > 1e-6
    assert differs.tolist() == [False, False, True, True, True, True, True, False]  # two layers: two frames each way


def test_fewer_blocks():
    assert [len(getattr(MobileNet3d(0.25, depth_factor=0.5), f'layer{i}')) for i in range(1, 8)] == [
        1,
        1,
        2,
        2,
        2,
        2,
        1,
    ]


def test_frozen_layers_do_not_train():
    model = MobileNet3d(0.25, frozen_stages=2).train()
    trained = {name.split('.')[0] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {'layer3', 'layer4', 'layer5', 'layer6', 'layer7', 'conv2'}
    assert not model.layer2.training and model.layer3.training


def test_norm_eval_keeps_statistics():
    model = MobileNet3d(0.25, norm_eval=True).train()
    before = model.conv1.bn.running_mean.clone()
    model(torch.randn(CLIPS))
    assert torch.equal(model.conv1.bn.running_mean, before)


def test_recomputed_activations_give_the_same_gradients():
    torch.manual_seed(0)
    kept = MobileNet3d(0.25, norm_eval=True).train()
    recomputed = MobileNet3d(0.25, norm_eval=True, with_cp=True).train()
    recomputed.load_state_dict(kept.state_dict())
    clip = torch.randn(CLIPS)
    for model in (kept, recomputed):
        model(clip).square().mean().backward()
    for one, other in zip(kept.parameters(), recomputed.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_is_a_recognizer_with_clip_maps_at_its_taps():
    model = MODELS.build(
        dict(
            type='Recognizer3D',
            backbone=dict(type='MobileNet3d', widen_factor=0.25),
            cls_head=dict(type='I3DHead', num_classes=5, in_channels=1280),
            data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCTHW'),
        )
    )
    taps = TapSet(model, ['backbone.layer4', 'logits'], 'student')
    clips = torch.randn(2, 1, 3, 8, 32, 32)
    with taps.watch():
        model.extract_feat(clips, stage='head')
    found = taps.read(clips)
    assert found['backbone.layer4'].shape == (2, round_channels(16), 2, 2, 2)
    assert found['logits'].shape == (2, 5)


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(widen_factor=0), 'widen_factor: got 0'),
        (dict(depth_factor=-1), 'depth_factor: got -1'),
        (dict(temporal_strides=(1, 2)), r'temporal_strides: got \(1, 2\); expected 8'),
        (dict(spatial_strides=(2, 1, 3)), r'spatial_strides: got \(2, 1, 3\); expected 8'),
        (dict(out_indices=(8,)), r'out_indices: got \(8,\)'),
        (dict(frozen_stages=9), 'frozen_stages: got 9'),
    ],
)
def test_wrong_numbers_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        MobileNet3d(**wrong)


def test_the_shipped_one_costs_less_than_the_shifted_one():
    found = []
    for name, size in (('tsm_mobilenet_small', (8, 48, 48)), ('mobilenet3d_small', (16, 48, 48))):
        model = Config.fromfile(f'configs/_base_/models/{name}.py').model
        recognizer = MODELS.build(model)
        found.append(measure_complexity(recognizer, noise_clip(recognizer, size)[0]))
    (flat, flat_gflops), (deep, deep_gflops) = found
    assert deep < flat and deep_gflops < 0.85 * flat_gflops
    assert (round(deep / 1e6, 2), round(deep_gflops, 4)) == (0.67, 0.0633)  # as docs/config.md has it
