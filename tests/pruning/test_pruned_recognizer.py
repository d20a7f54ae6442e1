"""PrunedRecognizer, and pruned checkpoints that meet the wrong model."""

import json

import pruned_zoo
import pytest
import torch
from mmengine.runner.checkpoint import load_checkpoint

from mmkd_video.core.registry import build_model
from mmkd_video.pruning import PRUNING_KEY, history_of, prune

NAME = 'i3d'


@pytest.fixture
def pruned(tmp_path):
    """Return a pruned model, its inputs and the path of its checkpoint."""
    model, inputs = pruned_zoo.build(NAME)
    history = prune(model, inputs, dict(params=0.5))
    path = tmp_path / 'pruned.pth'
    torch.save(dict(meta={}, state_dict=model.state_dict(), **{PRUNING_KEY: history.to_json()}), path)
    return model, inputs, path


def build_with(history, **extra):
    return build_model(
        dict(type='PrunedRecognizer', recognizer=pruned_zoo.config_of(NAME)[0], history=history, **extra)
    )


@pytest.mark.parametrize('kind', ['checkpoint', 'json file', 'text', 'dict'])
def test_built_from_any_form_of_history_it_is_the_plain_class_with_the_same_scores(pruned, tmp_path, kind):
    model, inputs, path = pruned
    text = history_of(model).to_json()
    (tmp_path / 'history.json').write_text(text)
    forms = {
        'checkpoint': str(path),
        'json file': str(tmp_path / 'history.json'),
        'text': text,
        'dict': json.loads(text),
    }
    built = build_with(forms[kind])
    load_checkpoint(built, str(path))
    assert type(built) is type(model) and list(built.state_dict()) == list(model.state_dict())
    assert torch.equal(pruned_zoo.scores(built, inputs), pruned_zoo.scores(model, inputs))


def test_init_weights_draws_fitting_ones_and_pretrained_ones_are_left_out(pruned):
    config, _ = pruned_zoo.config_of(NAME)
    config['backbone'].update(pretrained='nowhere.pth', pretrained2d=True)
    preprocessor = config.pop('data_preprocessor')
    built = build_model(
        dict(type='PrunedRecognizer', recognizer=config, history=str(pruned[2]), data_preprocessor=preprocessor)
    )
    built.init_weights()
    assert config['backbone']['pretrained'] == 'nowhere.pth'  # the config itself is not changed
    assert torch.isfinite(pruned_zoo.scores(built, pruned[1])).all()
    assert built.data_preprocessor.format_shape == 'NCTHW'


def test_pruned_weights_in_the_unpruned_model_are_an_error_that_names_the_builder(pruned):
    plain, _ = pruned_zoo.build(NAME)
    with pytest.raises(ValueError, match=r"checkpoint is pruned and the model is not.*type='PrunedRecognizer'"):
        load_checkpoint(plain, str(pruned[2]))


def test_unpruned_weights_in_the_pruned_model_are_an_error(pruned, tmp_path):
    plain, _ = pruned_zoo.build(NAME)
    torch.save(dict(meta={}, state_dict=plain.state_dict()), tmp_path / 'plain.pth')
    with pytest.raises(ValueError, match='checkpoint is not pruned and the model is'):
        load_checkpoint(build_with(str(pruned[2])), str(tmp_path / 'plain.pth'))


def test_other_weights_are_loaded_as_ever(tmp_path):
    plain, _ = pruned_zoo.build(NAME)
    state = {**plain.state_dict(), 'cls_head.fc_cls.weight': torch.zeros(7, 3)}
    torch.save(dict(meta={}, state_dict=state), tmp_path / 'plain.pth')
    load_checkpoint(plain, str(tmp_path / 'plain.pth'))  # another head is MMEngine's matter: it warns


def test_history_that_is_not_there_is_named(pruned, tmp_path):
    with pytest.raises(FileNotFoundError, match="'gone.pth' does not exist"):
        build_with('gone.pth')
    torch.save(dict(state_dict={}), tmp_path / 'plain.pth')
    with pytest.raises(ValueError, match="holds no 'pruning', so it is no pruned checkpoint"):
        build_with(str(tmp_path / 'plain.pth'))
