"""Folders of models with text towers that are hostile or damaged: refused in one line."""

import json
import shutil

import pytest
import text_models
import torch
import transformers_models as tiny
from mmengine.registry import init_default_scope
from safetensors.torch import load_file, save_file

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.config import resolve_config
from mmkd_video.recognizers.libraries import load_own_weights


@pytest.fixture(scope='module')
def templates(tmp_path_factory):
    tiny.library()
    root = tmp_path_factory.mktemp('templates')
    return {name: text_models.write(root / name, name).folder for name in ('clip', 'xclip')}


def in_text(folder, **changes):
    path = folder / 'config.json'
    told = json.loads(path.read_text())
    told['text_config'].update(changes)
    path.write_text(json.dumps(told))


def in_weights(folder, change):
    path = folder / 'model.safetensors'
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata=dict(format='pt'))


def huge_vocabulary(folder):
    in_text(folder, vocab_size=1 << 20, hidden_size=1 << 14)


def strange_activation(folder):
    in_text(folder, hidden_act='os.system')


def many_layers(folder):
    in_text(folder, num_hidden_layers=10**6)


def text_that_is_no_dict(folder):
    told = json.loads((folder / 'config.json').read_text())
    (folder / 'config.json').write_text(json.dumps(dict(told, text_config=[1])))


def no_text_weights(folder):
    def change(tensors):
        for name in [each for each in tensors if each.startswith('text_model.')]:
            del tensors[name]

    in_weights(folder, change)


def no_projection(folder):
    in_weights(folder, lambda tensors: tensors.pop('text_projection.weight'))


def projection_of_another_shape(folder):
    in_weights(folder, lambda tensors: tensors.update({'visual_projection.weight': torch.zeros(3, 24)}))


def no_scale(folder):
    in_weights(folder, lambda tensors: tensors.pop('logit_scale'))


def endless_scale(folder):
    in_weights(folder, lambda tensors: tensors.update(logit_scale=torch.tensor(1e4)))


def no_prompts(folder):
    in_weights(folder, lambda tensors: tensors.pop('prompts_visual_projection'))


HOSTILE = {
    huge_vocabulary: ('clip', 'text_config: got a model of more than'),
    strange_activation: ('clip', "text_config: hidden_act: got 'os.system'"),
    many_layers: ('clip', 'text_config: num_hidden_layers: got 1000000'),
    text_that_is_no_dict: ('clip', 'text_config: got list, expected a dict'),
    no_text_weights: ('clip', 'are not of the model that its config.json tells: .* missing'),
    no_projection: ('clip', r"1 missing or of another shape \['text_projection.weight'\]"),
    projection_of_another_shape: ('xclip', r"1 missing or of another shape \['visual_projection.weight'\]"),
    no_scale: ('clip', 'have no logit_scale'),
    endless_scale: ('xclip', 'have no logit_scale, or one that is no number'),
    no_prompts: ('xclip', r"\['prompts_visual_projection'\]"),
}


@pytest.mark.parametrize('damage', HOSTILE, ids=lambda damage: damage.__name__)
def test_a_hostile_text_tower_is_refused_in_one_line(templates, tmp_path, damage):
    name, said = HOSTILE[damage]
    folder = tmp_path / 'model'
    shutil.copytree(templates[name], folder)
    damage(folder)
    init_default_scope('mmaction')
    with pytest.raises(WrongValueError, match=said) as error:
        model, config = resolve_config(dict(source=f'hf::{folder}', zero_shot=dict(classes=['left', 'right'])))
        load_own_weights(MODELS.build(model), config)
    message = str(error.value)
    assert '\n' not in message and len(message) < 600 and message.startswith('teacher.config: ')


def test_what_is_wrong_with_a_text_tower_does_not_matter_without_zero_shot(templates, tmp_path):
    folder = tmp_path / 'model'
    shutil.copytree(templates['clip'], folder)
    no_text_weights(folder)
    (folder / 'tokenizer.json').write_text('{')
    init_default_scope('mmaction')
    model, config = resolve_config(f'hf::{folder}')
    assert load_own_weights(MODELS.build(model), config)
