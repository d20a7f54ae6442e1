"""Models of transformers as backbones: what taps read is what the library's own forward pass gives."""

import copy

import pytest
import torch
import transformers_models as tiny
from mmengine.registry import init_default_scope

from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models import TransformersBackbone
from mmkd_video.recognizers.config import resolve_config
from mmkd_video.recognizers.libraries import load_own_weights
from mmkd_video.taps import TapSet

N, K = 2, len(tiny.NAMES)
CLASS_TOKEN = ('timesformer', 'vivit', 'dinov2', 'dinov2_encoder', 'clip', 'clip_with_text', 'dinov3')


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """Return a function that writes the folder of a tiny model once."""
    known = {}

    def get(name):
        if name not in known:
            known[name] = tiny.write(tmp_path_factory.mktemp(name), name)
        return known[name]

    return get


def recognizer_of(folder):
    init_default_scope('mmaction')
    model, config = resolve_config(f'hf::{folder}')
    built = MODELS.build(model)
    load_own_weights(built, config)
    return built.eval().requires_grad_(False)


def read(model, clips, *taps):
    watched, inputs = TapSet(model, taps, 'teacher'), clips.unsqueeze(1)
    with watched.watch():
        model.extract_feat(inputs, stage='head')
    return watched.read(inputs)


def clips(seed=0):
    return torch.randn(N, 3, tiny.FRAMES, tiny.SIZE, tiny.SIZE, generator=torch.Generator().manual_seed(seed))


def of_clips(value, image):
    """Average what the library says of single frames over those of a clip."""
    return value.unflatten(0, (N, -1)).mean(dim=1) if image else value


def distance(tokens, others):
    return torch.cdist(tokens, others, compute_mode='donot_use_mm_for_euclid_dist')


@pytest.mark.parametrize('name', tiny.CLASSIFIERS)
def test_class_scores_are_the_librarys(made, name):
    folder = made(name)
    found = read(recognizer_of(folder.folder), clips(), 'logits', 'pooled')
    expected = of_clips(tiny.run(folder, clips()).logits, folder.known.image).reshape(N, K)
    torch.testing.assert_close(found['logits'], expected, atol=1e-5, rtol=1e-5)
    assert expected.std() > 0.01
    classifier = folder.model.classifier
    torch.testing.assert_close(found['pooled'] @ classifier.weight.T + classifier.bias, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('name', tiny.ALL)
def test_tokens_are_the_librarys_laid_out_as_a_map(made, name):
    folder = made(name)
    found = read(recognizer_of(folder.folder), clips(), 'hidden_states[1]', 'last_hidden_state', 'attentions[0]')
    folder.model.set_attn_implementation('eager')
    told = tiny.run(folder, clips(), output_hidden_states=True, output_attentions=True)
    _, channels, *size = found['hidden_states[1]'].shape
    tokens = found['hidden_states[1]'].flatten(2).transpose(1, 2)
    expected = told.hidden_states[1].reshape(N, -1, channels)
    assert size[1:] == [tiny.SIZE // tiny.PATCH] * 2 and channels == 24
    # every token of the map is one of the library's, none is there twice
    distances = distance(tokens, expected)
    assert distances.min(dim=2).values.max() < 1e-4
    assert all(len(set(row.tolist())) == tokens.shape[1] for row in distances.argmin(dim=2))
    weights = told.attentions[0].mean(dim=1)
    torch.testing.assert_close(found['attentions[0]'], weights.reshape(N, -1, weights.shape[-1]), atol=1e-5, rtol=1e-4)
    if hasattr(told, 'last_hidden_state') and told.last_hidden_state is not None:
        last = told.last_hidden_state.reshape(N, -1, channels)
        near = distance(found['last_hidden_state'].flatten(2).transpose(1, 2), last).min(dim=2).values
        assert near.max() < 1e-4


@pytest.mark.parametrize('name', tiny.ALL)
def test_a_place_of_the_map_is_where_its_pixels_are(made, name):
    model = recognizer_of(made(name).folder)
    plain = read(model, clips(), 'hidden_states[0]')['hidden_states[0]']
    time, row, column = plain.shape[2] - 1, 2, 1
    changed = clips()
    down, right = row * tiny.PATCH, column * tiny.PATCH
    changed[1, :, -1, down : down + tiny.PATCH, right : right + tiny.PATCH] += 1.0
    other = read(model, changed, 'hidden_states[0]')['hidden_states[0]']
    differs = (plain - other).abs().amax(dim=1) > 1e-6
    assert differs.nonzero().tolist() == [[1, time, row, column]]


@pytest.mark.parametrize('name', tiny.ENCODERS)
def test_an_encoder_has_one_vector_for_a_clip(made, name):
    folder = made(name)
    told = tiny.run(folder, clips())
    pooled = getattr(told, 'pooler_output', None) if folder.known.image else None
    if pooled is None:
        first = name in ('timesformer_encoder', 'vivit_encoder')
        pooled = told.last_hidden_state[:, 0] if first else told.last_hidden_state.mean(dim=1)
    found = read(recognizer_of(folder.folder), clips(), 'pooled')['pooled']
    torch.testing.assert_close(found, of_clips(pooled, folder.known.image), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('name', tiny.ALL)
def test_class_token_stands_apart_where_there_is_one(made, name):
    folder = made(name)
    model = recognizer_of(folder.folder)
    if name.removesuffix('_encoder') not in CLASS_TOKEN and name not in CLASS_TOKEN:
        with pytest.raises(WrongValueError, match="tap 'class_token': .* has no such token; use 'pooled'"):
            read(model, clips(), 'class_token')
        return
    found = read(model, clips(), 'class_token')['class_token']
    if name in tiny.ENCODERS:
        expected = of_clips(tiny.run(folder, clips()).last_hidden_state[:, 0], folder.known.image)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert found.shape == (N, 24)


def test_nothing_is_computed_for_taps_that_are_not_there(made):
    model = recognizer_of(made('videomae').folder)
    asked = {}
    model.backbone.net.register_forward_pre_hook(lambda _module, _args, given: asked.update(given), with_kwargs=True)
    read(model, clips(), 'logits')
    assert not asked['output_hidden_states'] and not asked['output_attentions']
    assert model.backbone.net.config._attn_implementation == 'sdpa'
    read(model, clips(), 'attentions[1]')
    assert asked['output_attentions'] and not asked['output_hidden_states']


def test_a_module_inside_is_a_tap_with_all_its_tokens(made):
    model = recognizer_of(made('timesformer').folder)
    found = read(model, clips(), 'backbone.net.timesformer.encoder.layer.0[0]')
    assert found['backbone.net.timesformer.encoder.layer.0[0]'].shape == (N, 1 + 16 * tiny.FRAMES, 24)


def test_a_copy_is_a_model_of_its_own(made):
    model = recognizer_of(made('videomae').folder)
    other = copy.deepcopy(model)
    before = read(model, clips(), 'logits')['logits']
    for parameter in other.parameters():
        parameter.data.zero_()
    read(other, clips(), 'last_hidden_state')
    torch.testing.assert_close(read(model, clips(), 'logits')['logits'], before)


def test_weights_in_half_precision_are_taken_as_float32(tmp_path):
    made = tiny.write(tmp_path, 'videomae')
    made.model.to(torch.bfloat16).save_pretrained(tmp_path)
    model = recognizer_of(tmp_path)
    assert {each.dtype for each in model.parameters()} == {torch.float32}
    expected = made.model.float()(clips().transpose(1, 2)).logits
    torch.testing.assert_close(read(model, clips(), 'logits')['logits'], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('change', ['missing', 'shape'])
def test_weights_that_do_not_fit_are_refused_in_one_line(tmp_path, change):
    from safetensors.torch import load_file, save_file

    tiny.write(tmp_path, 'videomae')
    path = tmp_path / 'model.safetensors'
    tensors = load_file(path)
    if change == 'missing':
        del tensors['classifier.weight']
    else:
        tensors['classifier.weight'] = torch.zeros(K + 1, 24)
    save_file(tensors, path, metadata=dict(format='pt'))
    with pytest.raises(WrongValueError, match='classifier.weight') as error:
        recognizer_of(tmp_path)
    assert '\n' not in str(error.value) and 'config.json' in str(error.value)


def test_weights_that_are_not_there_are_named(tmp_path):
    tiny.write(tmp_path, 'videomae')
    (tmp_path / 'model.safetensors').unlink()
    with pytest.raises(MissingFileError, match='holds no weights; expected model.safetensors'):
        recognizer_of(tmp_path)


def test_shards_are_put_together(tmp_path):
    made = tiny.write(tmp_path, 'videomae')
    (tmp_path / 'model.safetensors').unlink()
    made.model.save_pretrained(tmp_path, max_shard_size='20KB')
    assert len(list(tmp_path.glob('model-*.safetensors'))) > 1
    found = read(recognizer_of(tmp_path), clips(), 'logits')['logits']
    torch.testing.assert_close(found, tiny.run(made, clips()).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ('settings', 'said'),
    [
        (dict(hidden_size=24, code='os'), "got the key 'code'"),
        (dict(hidden_size=25), 'VideoMAEConfig'),
    ],
)
def test_settings_that_no_model_has_are_refused_in_one_line(settings, said):
    tiny.library()
    with pytest.raises(WrongValueError, match=said) as error:
        TransformersBackbone('videomae', dict(num_hidden_layers=1, num_attention_heads=2, **settings))
    assert '\n' not in str(error.value)
