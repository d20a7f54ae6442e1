"""UniFormerV2 keeps its tokens as (L, N*T, C)."""

import pytest
import torch
import zoo

from mmkd_video.core.registry import build_model
from mmkd_video.recognizers.input_form import noise_clip
from mmkd_video.recognizers.size import find_size
from mmkd_video.taps import TapSet

FRAMES, PATCHES, WIDTH = 4, 4, 32
CONFIG = zoo.config_of('uniformerv2')[0]
BLOCK = 'backbone.transformer.resblocks.0'


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    return build_model(CONFIG).eval()


def features(model, inputs, taps):
    found = TapSet(model, taps, 'student')
    with found.watch(), torch.no_grad():
        model.extract_feat(inputs, stage='head')
    return found.read(inputs)


def test_the_size_of_the_dry_run_is_the_declared_one():
    assert find_size(CONFIG, None, None, 'student') == (FRAMES, 32, 32)


def test_tokens_of_blocks_belong_to_their_clip(model):
    noise = torch.cat([noise_clip(model, (FRAMES, 32, 32)) for _ in range(3)])
    taps = [BLOCK, f'{BLOCK}.mlp', f'{BLOCK}.ln_1', 'backbone.transformer.dec.0', 'backbone.ln_pre', 'logits']
    together = features(model, noise, taps)
    assert together[BLOCK].shape == together[f'{BLOCK}.mlp'].shape == (3, FRAMES * (PATCHES + 1), WIDTH)
    assert together['backbone.transformer.dec.0'].shape == (3, 1, WIDTH)
    assert together['backbone.ln_pre'].shape == (3, FRAMES * (PATCHES + 1), WIDTH)
    for clip in range(3):
        alone = features(model, noise[clip : clip + 1], taps)
        for tap in taps:
            assert torch.allclose(together[tap][clip], alone[tap][0], atol=1e-5), tap


def test_the_frames_of_a_clip_follow_one_another(model):
    noise = noise_clip(model, (FRAMES, 32, 32))
    moved = noise.clone()
    moved[:, :, :, 2] += 1.0
    before, after = (features(model, clip, [f'{BLOCK}.mlp.c_fc'])[f'{BLOCK}.mlp.c_fc'] for clip in (noise, moved))
    changed = (before - after).abs().amax(dim=2)[0].unflatten(0, (FRAMES, PATCHES + 1)).amax(dim=1) > 1e-6
    assert changed.tolist() == [False, False, True, False]
