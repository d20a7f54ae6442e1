"""Zero-shot teachers: scores of a real clip are the library's, from its own processor, tokenizer and forward pass."""

import clips
import numpy as np
import pytest
import text_models
import torch
import transformers_models as tiny
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from mmkd_video.core.mistakes import MissingFileError, WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.class_prompts import ACTIONS
from mmkd_video.recognizers.config import resolve_config
from mmkd_video.recognizers.libraries import load_own_weights
from mmkd_video.recognizers.weights import fingerprint
from mmkd_video.taps import TapSet
from mmkd_video.teachers import build_teachers

NAMES = ['ApplyEyeMakeup', 'push_up', "it's round and round", 'jumping']
WORDS = ['apply eye makeup', 'push up', "it's round and round", 'jumping']
TEMPLATES = ['a video of {}.', '{}', 'somebody who does {}, again.']


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """Return a function that writes the folder of a tiny model once."""
    known = {}

    def get(name):
        if name not in known:
            known[name] = text_models.write(tmp_path_factory.mktemp(name), name)
        return known[name]

    return get


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('videos') / 'set', count=1) / '0.mp4'


def source(folder, **asked):
    return dict(source=f'hf::{folder.folder}', zero_shot=dict(classes=NAMES, **asked))


def recognizer_of(given):
    init_default_scope('mmaction')
    model, config = resolve_config(given)
    built = MODELS.build(model)
    load_own_weights(built, config)
    return built.eval().requires_grad_(False), config


def frames_of(config, video):
    """Return our view of a video, normalised ``(1, C, T, H, W)``, and the decoded frames that it is of."""
    sample = dict(filename=str(video), start_index=0, modality='RGB', label=0)
    for step in config.val_pipeline:
        sample = Compose([step])(sample)
        if step['type'] == 'DecordDecode':
            frames = [frame.copy() for frame in sample['imgs']]
    preprocessor = MODELS.build(config.model.data_preprocessor)
    inputs = preprocessor(dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]))['inputs']
    return inputs[0], frames


def library_pixels(name, frames):
    if name == 'videoprism':  # its processor needs torchvision, and does this where nothing is to be resized
        return torch.as_tensor(np.stack(frames)).permute(0, 3, 1, 2) / 255
    found = text_models.processor(name)(list(frames), return_tensors='pt')[text_models.MODELS[name].pixels]
    return found.reshape(-1, *found.shape[-3:]).float()


def read(model, inputs, *taps):
    watched = TapSet(model, taps, 'teacher')
    with watched.watch():
        model.extract_feat(inputs.unsqueeze(1), stage='head')
    return watched.read(inputs.unsqueeze(1))


@pytest.mark.parametrize('name', text_models.MODELS)
@pytest.mark.parametrize('template', ['a video of {}.', '{}'])
def test_scores_of_a_real_clip_are_the_librarys(made, video, name, template):
    folder = made(name)
    model, config = recognizer_of(source(folder, templates=[template]))
    ours, frames = frames_of(config, video)
    theirs = library_pixels(name, frames)
    found = read(model, ours, 'logits')['logits'][0]
    expected = text_models.scores(folder, theirs, [template.replace('{}', word) for word in WORDS])
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=1e-3)
    assert expected.std() > 0.01 and found.argsort().tolist() == expected.argsort().tolist()


def embeddings(folder, clip, texts):
    """Return the library's own vectors of a clip and of texts, each of length 1; of X-CLIP, the texts for this clip."""
    tokens = folder.tokenizer(texts, return_tensors='pt', **folder.known.tokens)
    tokens = dict(input_ids=tokens['input_ids']) if folder.name == 'siglip' else tokens
    given = {folder.known.pixels: clip if folder.known.image else clip.unsqueeze(0)}
    with torch.no_grad():
        told = folder.model(**given, **tokens)
    return (told.image_embeds if folder.known.image else told.video_embeds), told.text_embeds


@pytest.mark.parametrize('name', text_models.MODELS)
def test_several_templates_are_averaged_as_directions(made, name):
    folder = made(name)
    model, _ = recognizer_of(source(folder, templates=TEMPLATES))
    side = model.backbone.settings['image_size']
    clip = torch.randn(1, 3, tiny.FRAMES, side, side, generator=torch.Generator().manual_seed(0))
    texts = [template.replace('{}', word) for word in WORDS for template in TEMPLATES]
    seen, said = embeddings(folder, clip[0].transpose(0, 1), texts)
    said = said.reshape(-1, len(texts), said.shape[-1])[0].unflatten(0, (len(WORDS), len(TEMPLATES))).mean(dim=1)
    said = said / said.norm(dim=-1, keepdim=True)
    cosines = (seen @ said.T).mean(dim=0)
    found = read(model, clip, 'logits', 'pooled')
    scale = 100.0 if name == 'videoprism' else folder.model.logit_scale.exp().item()
    shift = folder.model.logit_bias.item() if name == 'siglip' else 0.0
    torch.testing.assert_close(found['logits'][0], (cosines * scale + shift).detach(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found['pooled'][0], seen.mean(dim=0), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('name', text_models.MODELS)
def test_features_of_the_vision_tower_are_taps_as_before(made, name):
    model, _ = recognizer_of(source(made(name)))
    side = model.backbone.settings['image_size']
    found = read(model, torch.randn(2, 3, tiny.FRAMES, side, side), 'last_hidden_state', 'hidden_states[1]', 'logits')
    patches = 8 if name == 'siglip' else 4
    assert found['last_hidden_state'].shape == (2, 24, tiny.FRAMES, patches, patches)
    assert found['logits'].shape == (2, len(NAMES))


@pytest.mark.parametrize('name', text_models.MODELS)
def test_the_text_tower_is_gone_and_the_texts_follow_the_model(made, name):
    model, _ = recognizer_of(source(made(name)))
    assert not [key for key in model.state_dict() if 'text_model' in key]
    texts = model.backbone.texts.vectors if name == 'xclip' else model.cls_head.fc_cls.weight
    assert len(texts) == len(NAMES)
    model.double()
    texts = model.backbone.texts.vectors if name == 'xclip' else model.cls_head.fc_cls.weight
    assert texts.dtype == torch.float64


@pytest.mark.parametrize('name', ['xclip', 'videoprism'])
def test_the_vision_tower_alone_is_an_encoder(made, name):
    folder = made(name)
    model, config = recognizer_of(f'hf::{folder.folder}')
    side = model.backbone.settings['image_size']
    clip = torch.randn(2, 3, tiny.FRAMES, side, side, generator=torch.Generator().manual_seed(2))
    found = read(model, clip, 'pooled', 'last_hidden_state')
    frames = clip.transpose(1, 2)
    with torch.no_grad():
        if name == 'xclip':
            told = folder.model.vision_model(frames.flatten(0, 1))
            expected = told.pooler_output.unflatten(0, (2, -1)).mean(dim=1)
            tokens = told.last_hidden_state[:, 1:].reshape(2, -1, 24)
        else:
            told = folder.model.video_model(frames)
            expected, tokens = told.pooler_output.flatten(1), told.last_hidden_state
    torch.testing.assert_close(found['pooled'], expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found['last_hidden_state'].flatten(2).transpose(1, 2), tokens, atol=1e-5, rtol=1e-4)
    assert config.get('classes') is None


def test_texts_of_xclip_are_changed_by_the_video(made):
    model, _ = recognizer_of(source(made('xclip')))
    seen = torch.randn(2, 3, tiny.FRAMES, tiny.SIZE, tiny.SIZE, generator=torch.Generator().manual_seed(3))
    _, texts = model.backbone(seen)
    assert (texts[0] - texts[1]).abs().max() > 1e-3
    torch.testing.assert_close(model.backbone(seen.flip(0))[1], texts.flip(0))


def test_scores_of_videoprism_do_not_depend_on_the_batch(made):
    model, _ = recognizer_of(source(made('videoprism')))
    clip = torch.randn(3, 3, tiny.FRAMES, 64, 64, generator=torch.Generator().manual_seed(3))
    together = read(model, clip, 'logits')['logits']
    torch.testing.assert_close(read(model, clip[:1], 'logits')['logits'], together[:1], atol=1e-3, rtol=1e-4)


def test_templates_have_a_default_that_fits_the_model(made):
    found = {name: resolve_config(source(made(name)))[0]['backbone']['templates'] for name in text_models.MODELS}
    assert found['clip'] == found['siglip'] == list(ACTIONS)
    assert found['xclip'] == ['{}'] and found['videoprism'] == ['a video of {}.']


def test_it_is_a_teacher_with_classes_and_a_linear_classifier(made):
    teacher = build_teachers(dict(config=source(made('clip')), classes=['jumping', 'push up']))['teacher']
    assert teacher.num_classes == 2 and teacher.classes == [3, 1]
    weight, bias = teacher.classifier()
    assert weight.shape == (2, text_models.SPACE) and not bias.any()
    assert build_teachers(dict(config=dict(source=f'hf::{made("clip").folder}')))['teacher'].num_classes is None


@pytest.mark.parametrize('name', text_models.MODELS)
def test_it_computes_in_half_precision_where_that_is_asked(made, name):
    given = dict(config=source(made(name), templates=['{}']))
    whole, half = (build_teachers(dict(given, precision=each))['teacher'] for each in (None, 'bf16'))
    side = whole.module.backbone.settings['image_size']
    clip = torch.randn(2, 1, 3, tiny.FRAMES, side, side, generator=torch.Generator().manual_seed(1))
    for teacher in (whole, half):
        teacher.tap(['logits'])
    found, expected = half.features(clip)['logits'], whole.features(clip)['logits']
    assert found.dtype == torch.float32
    assert (found - expected).abs().max() < 0.05 * expected.abs().max() + 0.5


def test_a_fingerprint_depends_on_names_and_weights_and_not_on_rounding(made, tmp_path):
    model, config = recognizer_of(source(made('clip')))
    first = fingerprint(model, config.model)
    model.cls_head.fc_cls.weight.mul_(1 + 1e-6)
    assert fingerprint(model, config.model) == first
    other, config = recognizer_of(dict(source(made('clip')), zero_shot=dict(classes=NAMES[:3])))
    assert fingerprint(other, config.model) != first
    text_models.write(tmp_path, 'clip', seed=1)
    changed, config = recognizer_of(dict(source=f'hf::{tmp_path}', zero_shot=dict(classes=NAMES)))
    for name, tensor in changed.state_dict().items():
        if not name.startswith('cls_head'):
            tensor.copy_(model.state_dict()[name])
    assert fingerprint(changed, config.model) != first


@pytest.mark.parametrize(
    ('asked', 'said', 'kind'),
    [
        (dict(classes=['left', 'LEFT_', 'left ']), "got 'left' and 'left '", WrongValueError),
        (dict(classes=['left', '_']), "got the name '_'; expected words", WrongValueError),
        (dict(classes='nowhere.txt'), "zero_shot.classes: got 'nowhere.txt'", MissingFileError),
        (dict(templates=['a video']), r"templates\[0\]: got 'a video'; expected one {}", WrongValueError),
        (dict(templates=['{} {}']), r'templates\[0\]: got', WrongValueError),
        (dict(names=['left']), "got the unknown key 'names'", WrongKeyError),
        (dict(), 'nothing tells the names of the classes', WrongValueError),
    ],
)
def test_wrong_names_and_templates_are_told_in_one_line(made, asked, said, kind):
    given = asked if set(asked) & {'classes', 'names'} or not asked else dict(classes=NAMES, **asked)
    with pytest.raises(kind, match=said) as error:
        recognizer_of(dict(source=f'hf::{made("clip").folder}', zero_shot=given))
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('name', ['videomae', 'clip', 'dinov2'])
def test_a_model_without_a_text_tower_is_refused(tmp_path, name):
    folder = tiny.write(tmp_path, name)
    with pytest.raises(WrongValueError, match='without a text tower; expected one of clip, siglip, xclip, videoprism'):
        resolve_config(dict(source=folder.config, zero_shot=True))


def test_names_come_from_a_file(made, tmp_path):
    (tmp_path / 'classes.txt').write_text('\n'.join(NAMES) + '\n')
    given = dict(source=f'hf::{made("clip").folder}', zero_shot=dict(classes=str(tmp_path / 'classes.txt')))
    assert resolve_config(given)[1].classes == NAMES
