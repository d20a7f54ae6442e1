"""Weights of VideoMAE under its authors' names, made of a model of transformers, whose answers are the reference."""

import math

import pytest
import torch
import transformers_models

from mmkd_video.core.registry import build_model
from mmkd_video.recognizers.weights import load_weights

WIDTH, PIXELS, PATCH, FRAMES = 24, transformers_models.SIZE, transformers_models.PATCH, transformers_models.FRAMES
NUMBER = len(transformers_models.NAMES)


def authors_weights(theirs):
    """Return the weights of a VideoMAE of transformers as VideoMAE's own code names and joins them."""
    given, found = theirs.state_dict(), {}
    plain = {
        'videomae.embeddings.patch_embeddings.projection.': 'patch_embed.proj.',
        'fc_norm.': 'fc_norm.',
        'classifier.': 'head.',
    }
    for key, value in given.items():
        for prefix, name in plain.items():
            if key.startswith(prefix):
                found[name + key.removeprefix(prefix)] = value
    layers = {
        'attention.output.dense.': 'attn.proj.',
        'layernorm_before.': 'norm1.',
        'layernorm_after.': 'norm2.',
        'intermediate.dense.': 'mlp.fc1.',
        'output.dense.': 'mlp.fc2.',
    }
    for index in range(2):
        old, new = f'videomae.encoder.layer.{index}.', f'blocks.{index}.'
        for theirs_name, name in layers.items():
            for kind in ('weight', 'bias'):
                found[f'{new}{name}{kind}'] = given[f'{old}{theirs_name}{kind}']
        parts = [f'{old}attention.attention.{part}.' for part in ('query', 'key', 'value')]
        found[f'{new}attn.qkv.weight'] = torch.cat([given[f'{part}weight'] for part in parts])
        found[f'{new}attn.q_bias'], found[f'{new}attn.v_bias'] = (given[f'{part}bias'] for part in parts[::2])
    return found


@pytest.fixture(scope='module')
def pair():
    """A VideoMAE of transformers, and MMAction2's of the same shape."""
    library = transformers_models.library()
    tiny = transformers_models.CLASSIFIERS['videomae']
    torch.manual_seed(0)
    theirs = getattr(library, tiny.kind)(getattr(library, tiny.config)(**tiny.settings)).eval()
    for each in theirs.parameters():
        torch.nn.init.normal_(each, std=0.3)
    backbone = dict(
        type='VisionTransformer', img_size=PIXELS, patch_size=PATCH, embed_dims=WIDTH, depth=2, num_heads=2,
        mlp_ratio=32 / WIDTH, num_frames=FRAMES, norm_cfg=dict(type='LN', eps=theirs.config.layer_norm_eps),
    )  # fmt: skip
    head = dict(type='TimeSformerHead', num_classes=NUMBER, in_channels=WIDTH, average_clips='score')
    return theirs, build_model(dict(type='Recognizer3D', backbone=backbone, cls_head=head)).eval()


@pytest.mark.parametrize('container', ['module', 'model', None])
def test_a_checkpoint_with_its_authors_names_answers_as_it_did(pair, tmp_path, container):
    theirs, ours = pair
    weights = authors_weights(theirs)
    torch.save({container: weights, 'epoch': 3} if container else weights, tmp_path / 'a.pth')
    for each in ours.parameters():
        torch.nn.init.zeros_(each)
    load_weights(ours, str(tmp_path / 'a.pth'))
    clips = torch.randn(2, 3, FRAMES, PIXELS, PIXELS)
    with torch.inference_mode():
        expected = theirs(pixel_values=clips.transpose(1, 2)).logits
        torch.testing.assert_close(ours.cls_head(ours.backbone(clips)), expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 0.1 and math.isfinite(expected.sum())


def test_what_is_missing_or_of_another_size_is_told(pair, tmp_path):
    theirs, ours = pair
    weights = authors_weights(theirs)
    weights['blocks.1.attn.proj.weight'] = torch.zeros(3, 3)
    del weights['head.bias']
    torch.save(dict(model=weights), tmp_path / 'a.pth')
    with pytest.raises(
        ValueError, match=r"not of this architecture: 1 keys missing \['cls_head.fc_cls.bias'\], 0 unkn"
    ):
        load_weights(ours, str(tmp_path / 'a.pth'))


@pytest.mark.parametrize('own', [True, False])
def test_what_is_no_tensor_is_told_in_one_line(pair, tmp_path, own):
    theirs, ours = pair
    weights = dict(ours.state_dict()) if own else authors_weights(theirs)
    weights['cls_head.fc_cls.bias' if own else 'head.bias'], weights[7] = 'text', torch.zeros(1)
    torch.save(dict(state_dict=weights), tmp_path / 'a.pth')
    message = r"1 unknown \['7'\], 1 of another shape \['cls_head.fc_cls.bias str instead of \(5,\)'\]"
    with pytest.raises(ValueError, match=message):
        load_weights(ours, str(tmp_path / 'a.pth'))
