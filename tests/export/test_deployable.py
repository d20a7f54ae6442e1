import numpy as np
import pytest
import torch
from exportable import CLASSES, lively, noise, tiny_model
from mmaction.structures import ActionDataSample
from torch import nn
from zoo import ZOO, clip_for, config_of

from mmkd_video.core.registry import build_model
from mmkd_video.export import DeployableRecognizer


def predicted(model, clips):
    samples = [ActionDataSample() for _ in clips]
    batch = dict(inputs=[torch.from_numpy(clip) for clip in clips], data_samples=samples)
    with torch.no_grad():
        return torch.stack([sample.pred_score for sample in model.test_step(batch)]).numpy()


@pytest.mark.parametrize('name', [name for name in ZOO if name not in ('c3d', 'tsm_r50', 'tsn_r50')])
def test_says_what_the_recognizer_predicts(name):
    config, size = config_of(name)
    model = lively(build_model(config))
    clips = [clip_for(config, size, seed).numpy() for seed in range(2)]
    assert np.array_equal(DeployableRecognizer(model).predict(clips), predicted(model, clips))


@pytest.mark.parametrize(
    'preprocess', [dict(), dict(mean=[9.0, 8, 7], std=[3.0, 2, 1], to_rgb=True), dict(to_rgb=True)]
)
def test_preprocessing_is_inside(preprocess):
    model = tiny_model(**(preprocess or dict(to_float32=True)))
    clips = noise(3)
    assert np.array_equal(DeployableRecognizer(model).predict(clips), predicted(model, clips))


@pytest.mark.parametrize('average', ['score', None])
def test_other_averages_give_probabilities_of_the_same_ranking(average):
    model = tiny_model(average_clips=average)
    model.cls_head.consensus = nn.Identity()  # TSN averages frames before it classifies
    model.cls_head.forward = lambda x, num_segs, **_: model.cls_head.fc_cls(x.mean((2, 3)))
    clips = noise(4)
    found, scores = DeployableRecognizer(model).predict(clips), torch.from_numpy(predicted(model, clips))
    expected = scores.softmax(1) if average == 'score' else scores.softmax(2).mean(1)
    assert found == pytest.approx(expected.numpy(), abs=1e-6)
    assert found.sum(1) == pytest.approx(np.ones(4))


@pytest.mark.parametrize('average', ['score', 'prob'])
def test_logarithms_are_those_of_its_probabilities_and_have_a_gradient(average):
    model = tiny_model(average_clips=average)
    model.cls_head.consensus = nn.Identity()  # as above: frames take the part of clips
    model.cls_head.forward = lambda x, num_segs, **_: model.cls_head.fc_cls(x.mean((2, 3)))
    shipped, clips = DeployableRecognizer(model), torch.from_numpy(np.stack(noise(4))).float().requires_grad_()
    found = shipped.log_probabilities(clips)
    assert torch.allclose(found.exp(), shipped(clips), atol=1e-6) and found.shape == (4, shipped.num_classes)
    found.sum().backward()
    assert clips.grad.abs().sum() > 0


def test_stays_in_eval_mode_and_leaves_the_model_alone():
    model = tiny_model()
    model.train()
    deployable = DeployableRecognizer(model).train()
    assert not any(module.training for module in deployable.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model.training and deployable.recognizer is not model


def test_tells_its_classes_and_architecture():
    deployable = DeployableRecognizer(tiny_model())
    assert (deployable.num_classes, deployable.architecture) == (CLASSES, 'Recognizer2D/ResNet/TSNHead')


def test_views_are_not_tested_one_by_one():
    model = tiny_model()
    model.test_cfg = dict(max_testing_views=1)
    clips = noise(2)
    found = DeployableRecognizer(model).predict(clips)
    assert model.test_cfg == dict(max_testing_views=1)
    model.test_cfg = None
    assert np.array_equal(found, predicted(model, clips))


def test_what_is_no_recognizer_is_refused():
    with pytest.raises(TypeError, match='Linear has no extract_feat, cls_head, data_preprocessor'):
        DeployableRecognizer(nn.Linear(2, 2))


def test_unknown_layout_is_refused():
    model = tiny_model()
    model.data_preprocessor.format_shape = 'MIX2d3d'
    with pytest.raises(ValueError, match="format_shape: got 'MIX2d3d'"):
        DeployableRecognizer(model)
