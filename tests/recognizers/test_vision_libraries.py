"""Models of timm and torchvision show what the libraries' own transforms show, and score what the libraries score."""

import clips
import decord
import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose

from mmkd_video.core.registry import build_model
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.libraries import read_library_model
from mmkd_video.recognizers.libraries.torchvision_videos import CLIPS
from mmkd_video.taps import TapSet
from mmkd_video.taps.layout import keeps_channels_last

pytestmark = pytest.mark.torchvision
LEVEL = 1.5  # of 255: two libraries round differently
FEW = 0.02  # the part of the pixels that may differ more
SHARP = 0.15  # the same of bicubic ones: OpenCV's curve has a slope of -0.75, Pillow's of -0.5, and the clip is noise


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """A clip of noise that fills in the video's frame rate of 12 a second, 2 seconds."""
    path = tmp_path_factory.mktemp('clips') / 'a.mp4'
    clips.encode(path, 1, frames=24, size=96)
    return path


def seen(config, video):
    """Return what the recognizer is given of a video, normalised, and the indices of its frames."""
    compose = Compose([TRANSFORMS.build(step) for step in config.test_pipeline])
    steps, results = compose.transforms, dict(filename=str(video), start_index=0, modality='RGB', label=0)
    indices = None
    for step in steps:
        results = step(results)
        indices = results.get('frame_inds', indices) if isinstance(results, dict) else indices
    model = build_model(dict(config.model, backbone=dict(type='ResNet3d', depth=18, pretrained=None)))
    batch = model.data_preprocessor(dict(inputs=[results['inputs']], data_samples=None))
    return batch['inputs'][0, 0], np.ravel(indices)


def decoded(video, indices):
    frames = decord.VideoReader(str(video)).get_batch(list(indices)).asnumpy()
    return torch.from_numpy(frames).permute(0, 3, 1, 2)


def expect_alike(ours, theirs, std, few=FEW):
    levels = (ours - theirs).abs() * 255 * torch.tensor(std).view(-1, 1, 1, 1)
    assert ours.shape == theirs.shape
    assert (levels > LEVEL).float().mean() < few and levels.mean() < 25 * few


@pytest.mark.parametrize('name', CLIPS)
def test_a_video_model_is_shown_what_torchvision_shows(name, video):
    from torchvision.models import get_model_weights

    frames = None if name not in ('s3d', 'swin3d_t', 'swin3d_s', 'swin3d_b') else 16
    config = read_library_model(dict(source=f'torchvision::{name}', **({} if frames is None else {'frames': frames})))
    found, indices = seen(config, video)
    weights = get_model_weights(name).DEFAULT
    view = weights.transforms()
    expected = view(decoded(video, indices))
    if view.resize_size == [
        128,
        171,
    ]:  # 171 - 112 is odd: ours lies half a pixel left of the middle
        found, expected = found[..., 1:], expected[..., :-1]
    expect_alike(found, expected, view.std)
    assert config.classes == weights.meta['categories'] and len(config.classes) == 400
    sampler = config.test_pipeline[1]
    assert sampler['target_fps'] == CLIPS[name][1] and f'`frame_rate={CLIPS[name][1]}`' in weights.meta['_docs']
    assert f'`clip_len={CLIPS[name][0]}`' in weights.meta['_docs']
    # 12 frames a second are fewer than 15: no frame is left out; of 7.5 nearly every second one is
    assert len(indices) == (frames or CLIPS[name][0])


@pytest.mark.parametrize(
    'name', ['mobilenetv4_conv_small', 'tf_efficientnet_lite0', 'vit_tiny_patch16_224', 'fastvit_t8']
)
def test_an_image_model_is_shown_what_timm_shows(name, video):
    import timm
    from PIL import Image

    config = read_library_model(f'timm::{name}')
    found, indices = seen(config, video)
    assert len(indices) == 8 and len(set(indices)) == 8
    cfg = timm.models.get_pretrained_cfg(name).to_dict()
    transform = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=cfg))
    images = [Image.fromarray(frame.permute(1, 2, 0).numpy()) for frame in decoded(video, indices)]
    expect_alike(found, torch.stack([transform(image) for image in images], dim=1), cfg['std'], SHARP)
    assert len(config.classes) == 1000 and config.classes[1].startswith('goldfish')


def recognizer(source):
    config = read_library_model(dict(source=source, num_classes=5))
    torch.manual_seed(0)
    model = build_model(config.model)
    model.eval()
    return model


@pytest.mark.parametrize(
    ('name', 'size', 'taps'),
    [
        ('r3d_18', (4, 32, 32), {'backbone.net.layer3': (2, 256, 1, 4, 4)}),
        ('swin3d_t', (4, 32, 32), {'backbone.net.features.2': (2, 192, 2, 4, 4)}),
        pytest.param(
            'mvit_v2_s', (16, 224, 224), {'backbone.net.blocks.0[0]': (1, 8 * 56 * 56 + 1, 96)}, marks=pytest.mark.slow
        ),
        pytest.param('s3d', (16, 224, 224), {}, marks=pytest.mark.slow),
    ],
)
def test_a_video_model_scores_what_torchvision_scores(name, size, taps):
    model = recognizer(f'torchvision::{name}')
    given = torch.randn(1 if size[1] > 200 else 2, 1, 3, *size)
    reader = TapSet(model, [*taps, 'logits'], 'teacher')
    with torch.no_grad(), reader.watch():
        scores = model.extract_feat(given, stage='head')[0]
    with torch.no_grad():
        assert torch.equal(scores, model.backbone.net(given[:, 0])) and scores.shape == (len(given), 5)
    found = reader.read(given)
    assert {name: tuple(found[name].shape) for name in taps} == taps


@pytest.mark.parametrize(
    ('name', 'side'),
    [
        ('mobilenetv4_conv_small', 64),
        ('vit_tiny_patch16_224', 224),
        ('swin_tiny_patch4_window7_224', 224),
        ('vit_pe_core_tiny_patch16_384', 384),  # Perception Encoder
    ],
)
def test_an_image_model_scores_the_mean_of_what_timm_scores(name, side):
    model = recognizer(f'timm::{name}')
    given = torch.randn(1, 1, 3, 2, side, side)
    frames = given[0, 0].transpose(0, 1)
    reader = TapSet(model, ['backbone.intermediates[2]', 'logits'], 'teacher')
    with torch.no_grad(), reader.watch():
        scores = model.extract_feat(given, stage='head')[0]
    with torch.no_grad():
        expected = model.backbone.net(frames)
        _, maps = model.backbone.net.forward_intermediates(frames, output_fmt='NCHW')
    torch.testing.assert_close(scores[0], expected.mean(0), rtol=1e-5, atol=1e-5)
    found = reader.read(given)['backbone.intermediates[2]']
    assert found.shape[:3] == (1, maps[2].shape[1], 2)
    assert torch.equal(found[0].transpose(0, 1), maps[2])
    assert keeps_channels_last(model, 'backbone.net') is name.startswith('swin')


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ('timm::mobilenetv4', "got 'mobilenetv4'; expected the name of a model of timm"),
        ('torchvision::r3d_19', "got 'r3d_19'; expected a video model of torchvision, such as r3d_18"),
        ('torchvision::resnet18', 'expected a video model of torchvision'),
        (dict(source='torchvision::r3d_18', preset='V9'), "preset: got 'V9'; expected KINETICS400_V1"),
        (dict(source='timm::resnet18', frames=0), 'frames: got 0'),
        (dict(source='torchvision::mvit_v2_s', frames=8), 'frames: got 8; expected 16, for which mvit_v2_s is made'),
    ],
)
def test_wrong_names_are_told(config, message):
    with pytest.raises(ValueError, match=message):
        read_library_model(config)


def test_a_name_is_a_config_wherever_a_path_is():
    assert read_config('torchvision::r3d_18').model.backbone.model == 'r3d_18'
