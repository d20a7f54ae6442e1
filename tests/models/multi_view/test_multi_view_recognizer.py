"""A recognizer of several views: what is missing does not count, what is there does."""

import copy

import multi_view_models as small
import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmkd_video.core.registry import MODELS
from mmkd_video.models import ViewFusion
from mmkd_video.recognizers.complexity import measure_complexity
from mmkd_video.recognizers.input_form import input_form, noise_clip
from mmkd_video.recognizers.precision import compute_in_half
from mmkd_video.taps import TapSet

FLOW = 0  # views are in the order of their names


def test_a_missing_view_counts_nothing_whatever_stands_in_its_place():
    model, inputs = small.built(), small.inputs_of(3)
    whole = small.scores(model, inputs)
    inputs['present'][1, FLOW] = 0
    junk = dict(inputs, flow=inputs['flow'] + 100 * torch.eye(3)[1].view(3, 1, 1, 1, 1, 1))
    found = small.scores(model, junk)
    assert torch.equal(found[1], small.scores(model, dict(inputs, flow=inputs['flow'] * 0))[1])
    assert torch.allclose(found[[0, 2]], whole[[0, 2]], atol=1e-6), 'other clips of the batch are as they were'
    assert not torch.allclose(found[1], whole[1], atol=1e-3), 'the view counted before'


def test_a_missing_view_is_the_same_as_a_network_without_it():
    model, inputs = small.built(), small.inputs_of(2)
    inputs['present'][:, FLOW] = 0
    model.eval()
    maps, used = model.backbone(_clips(inputs), inputs['present'])
    alone = model.neck(dict(rgb=maps['rgb']), used)[0]
    assert torch.allclose(small.scores(model, inputs), model.cls_head(alone), atol=1e-6)


def _clips(inputs):
    return {name: each.flatten(0, 1) for name, each in inputs.items() if name != 'present'}


def test_batch_norms_see_the_views_that_are_there_alone():
    model, batch = small.built().train(), small.batch_of(3, missing=[(1, 'flow')])
    other = copy.deepcopy(model)
    junk = copy.deepcopy(batch)
    junk['inputs']['flow'][1].fill_(255)
    for each, data in ((model, batch), (other, junk)):
        losses = each(**each.data_preprocessor(data, True), mode='loss')
        each.parse_losses(losses)[0].backward()
    for one, two in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(one.grad, two.grad, atol=1e-7)


def test_where_no_clip_has_a_view_its_parameters_still_have_a_gradient_of_zero():
    model = small.built().train()
    data = model.data_preprocessor(small.batch_of(2, missing=[(0, 'flow'), (1, 'flow')]), True)
    model.parse_losses(model(**data, mode='loss'))[0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        rests = '.flow.' in name
        assert bool(parameter.grad.abs().sum() == 0) == rests or name == 'neck.level_code', name


def test_training_lets_the_loss_fall_with_views_that_come_and_go():
    model = small.built(view_dropout=0.3).train()
    model.init_weights()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    data, losses = small.batch_of(5, missing=[(1, 'flow'), (3, 'rgb')]), []
    for _ in range(25):
        loss = model.parse_losses(model(**model.data_preprocessor(copy.deepcopy(data), True), mode='loss'))[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


@pytest.mark.parametrize('share', [0.0, 0.5, 0.9])
def test_views_are_dropped_in_training_and_never_all_of_a_clip(share):
    backbone = small.built(view_dropout=share).backbone.train()
    there = torch.ones(2000, 2, dtype=torch.bool)
    there[:500, 1] = False
    torch.manual_seed(0)
    used = backbone._drop(there)
    assert used.any(1).all() and not used[:500, 1].any()
    lost = 1 - used[500:].float().mean().item()
    assert lost == pytest.approx(share - share**2 / 2, abs=0.03)  # both drawn: one stays


def test_nothing_is_dropped_in_use():
    model, inputs = small.built(view_dropout=0.9), small.inputs_of(2)
    first = small.scores(model, inputs)
    assert all(torch.equal(first, small.scores(model, inputs)) for _ in range(3))


def test_views_share_a_backbone_and_a_pyramid_where_the_config_says_so():
    norms = dict(scene=small.RGB, person0='scene', person1='scene')
    model = small.built(views=small.THREE, norms=norms)
    assert list(model.backbone.extractors) == ['person0', 'scene'] == list(model.neck.pyramids)
    inputs = small.inputs_of(1, (3, 3, 3), tuple(small.THREE))
    model.eval()
    maps, _ = model.backbone(_clips(dict(inputs, person1=inputs['person0'])), inputs['present'])
    assert torch.equal(maps['person0'][1], maps['person1'][1]) and not torch.equal(maps['person0'][1], maps['scene'][1])
    swapped = dict(inputs, person0=inputs['person1'], person1=inputs['person0'])
    assert not torch.allclose(small.scores(model, inputs), small.scores(model, swapped), atol=1e-4), 'a code tells them'


def test_scores_of_several_clips_are_their_mean():
    model, inputs = small.built(), small.inputs_of(2, times=3)
    inputs['present'][1, 0] = 0
    each = torch.stack([
        small.scores(model, {name: value if name == 'present' else value[:, place : place + 1]
                             for name, value in inputs.items()}) for place in range(3)
    ], dim=1)  # fmt: skip
    assert torch.allclose(small.scores(model, inputs).unflatten(0, (2, 3)), each, atol=1e-5)


def test_a_config_that_was_written_with_its_keys_in_another_order_is_of_the_same_model():
    model, inputs = small.built(), small.inputs_of(2)
    inputs['present'][1, FLOW] = 0
    config = Config(dict(model=small.config_of()))
    sorted_keys = Config.fromstring(config.pretty_text, '.py').model
    assert list(sorted_keys.backbone.views) != list(config.model.backbone.views)
    other = MODELS.build(sorted_keys)
    other.load_state_dict(model.state_dict())
    assert torch.equal(small.scores(model, inputs), small.scores(other, inputs))
    data = other.data_preprocessor(small.batch_of(2), False)['inputs']
    assert all(
        torch.equal(each, data[name]) for name, each in model.data_preprocessor(small.batch_of(2))['inputs'].items()
    )


def test_without_a_mask_all_views_are_there():
    model, inputs = small.built(), small.inputs_of(2)
    without = {name: each for name, each in inputs.items() if name != 'present'}
    assert torch.equal(small.scores(model, inputs), small.scores(model, without))


def test_taps_read_maps_vectors_and_scores():
    model, inputs = small.built().eval(), small.inputs_of(2)
    taps = TapSet(model, ['neck', 'neck.recurrent', 'pooled', 'logits', 'cam', 'backbone.extractors.flow.layer2'], 't')
    with torch.no_grad(), taps.watch():
        model.extract_feat(dict(inputs), stage='head')
    shapes = {name: tuple(each.shape) for name, each in taps.read(inputs).items()}
    grid = (2, 16, 2, 2, 2)
    assert shapes == {
        'neck': grid, 'neck.recurrent': grid, 'pooled': (2, 16), 'logits': (2, 5), 'cam': (2, 5, 2, 2, 2),
        'backbone.extractors.flow.layer2': (2, 8, 4, 2, 2),
    }  # fmt: skip


def test_noise_and_operations_are_of_all_views():
    model = small.built()
    assert input_form(model).kind == 'several'
    noise = noise_clip(model, (4, 16, 16))
    assert {name: tuple(each.shape) for name, each in noise.items()} == dict(
        rgb=(1, 1, 3, 4, 16, 16), flow=(1, 1, 2, 4, 16, 16)
    )
    params, gflops = measure_complexity(model, {name: each[0] for name, each in noise.items()})
    assert params == sum(parameter.numel() for parameter in model.parameters()) and gflops > 0


def test_validation_gives_probabilities():
    model = small.built().eval()
    data = model.data_preprocessor(small.batch_of(3, missing=[(2, 'rgb')]), False)
    found = model(**data, mode='predict')
    assert all(each.pred_score.sum().item() == pytest.approx(1) for each in found)


def test_a_view_that_never_comes_is_told_once(monkeypatch):
    said = []
    monkeypatch.setattr('mmkd_video.models.multi_view.backbone.print_log', lambda text, *_: said.append(text))
    monkeypatch.setattr('mmkd_video.models.multi_view.backbone.PATIENCE', 2)
    model, inputs = small.built().train(), small.inputs_of(2)
    inputs['present'][:, FLOW] = 0
    for _ in range(4):
        model.extract_feat(dict(inputs))
    assert len(said) == 1 and "view 'flow' was missing in all of the first 2" in said[0]


@pytest.mark.parametrize(
    'settings, says',
    [
        (dict(views={}), r'views: got no view'),
        (dict(views=dict(rgb='flow', flow='rgb')), r"views\.flow: got 'rgb'; expected settings of its own.*none has"),
        (dict(views={'a b': small.STREAM}), r"got a view named 'a b'"),
        (dict(views=dict(present=small.STREAM)), r"got a view named 'present'"),
        (dict(views=dict(rgb=small.STREAM), view_dropout=1.0), r'view_dropout: got 1.0'),
    ],
)
def test_wrong_views_of_the_backbone_are_named(settings, says):
    with pytest.raises(ValueError, match=says):
        MODELS.build(dict(type='MultiViewBackbone', **settings))


@pytest.mark.parametrize(
    'settings, says',
    [
        (dict(views=dict(rgb=(4, 8)), channels=16, heads=3), 'heads: got 3, which does not divide 16'),
        (dict(views=dict(rgb=(4, 'x')), channels=16), r"views\.rgb\[1\]: got 'x'"),
        (dict(views=dict(rgb=(4, 8)), channels=16, grid=(2, 2)), r'grid: got \(2, 2\)'),
    ],
)
def test_wrong_settings_of_the_neck_are_named(settings, says):
    with pytest.raises(ValueError, match=says):
        ViewFusion(**settings)


def test_maps_of_other_channels_are_named():
    neck = ViewFusion(dict(rgb=(4, 8)), channels=16)
    with pytest.raises(ValueError, match=r'got maps of \[4\] channels; expected \[4, 8\]; set neck.views'):
        neck(dict(rgb=[torch.randn(1, 4, 2, 4, 4)]), torch.ones(1, 1, dtype=torch.bool))


def test_views_of_other_names_and_clips_without_any_are_named():
    model = small.built().eval()
    with pytest.raises(ValueError, match=r"got the views \['rgb', 'depth'\].*expected \['flow', 'rgb'\]"):
        model.extract_feat(small.inputs_of(names=('rgb', 'depth')))
    with pytest.raises(ValueError, match='got a clip without any view'):
        model.extract_feat(dict(small.inputs_of(), present=torch.zeros(2, 2)))
    batch = small.batch_of()
    del batch['inputs']['flow']
    with pytest.raises(ValueError, match=r"got a batch of \['present', 'rgb'\]; expected the views.*MultiView"):
        model.data_preprocessor(batch, True)


def test_blending_of_single_views_is_refused():
    blending = dict(type='MixupBlending', num_classes=5)
    with pytest.raises(ValueError, match=r'views\.rgb\.blending'):
        MODELS.build(dict(type='MultiViewDataPreprocessor', views=dict(rgb=dict(small.RGB, blending=blending))))


def test_statistics_of_views_are_their_own():
    model = small.built()
    data = model.data_preprocessor(small.batch_of(1), False)['inputs']
    raw = small.batch_of(1)['inputs']
    assert torch.allclose(data['rgb'][0], (raw['rgb'][0].float() - 100) / 60, atol=1e-5)
    assert torch.allclose(data['flow'][0], (raw['flow'][0].float() - 128) / 32, atol=1e-5)
    assert all(isinstance(each, nn.Module) for each in model.data_preprocessor.preprocessors.values())


def test_half_precision_answers_alike_in_training_and_as_a_teacher():
    model, batch = small.built(), small.batch_of(3, missing=[(1, 'flow')])
    data = model.data_preprocessor(batch, False)
    exact = small.scores(model, data['inputs'])
    half = copy.deepcopy(model)
    compute_in_half(half, torch.bfloat16)
    found = small.scores(half, data['inputs'])
    assert found.dtype == torch.float32 and torch.allclose(found, exact, atol=0.05 * exact.abs().max().item())
    with torch.autocast('cpu', torch.bfloat16):
        losses = model.train()(**data, mode='loss')
    model.parse_losses(losses)[0].backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in model.parameters())
