"""A teacher's feature is normalised before the loss sees it."""

import copy
import json
from pathlib import Path

import clips
import pytest
import tiny
import torch
import zoo
from distillations import step
from mmengine.config import Config

from mmkd_video.cli import feature_statistics as command
from mmkd_video.core.registry import MODELS, TASK_UTILS, build_model
from mmkd_video.distillers import own_statistics
from mmkd_video.taps.feature_statistics import Moments, read_statistics, write_statistics
from mmkd_video.terms.target_norm import TargetNorm, build_target_norm
from mmkd_video.workflows.cache.feature_statistics import feature_statistics

TAP, SIZE = 'backbone.layer1', (4, 16, 16)


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """A file of statistics of 12 channels, and the feature that they are of."""
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(12, 12, generator=generator) * torch.logspace(1, -1, 12)
    feature = 3 + torch.einsum('oc,ncthw->nothw', mixed, torch.randn(9, 12, 2, 4, 4, generator=generator))
    moments, path = Moments(), tmp_path_factory.mktemp('statistics') / 'found.safetensors'
    moments.add(feature)
    write_statistics(path, 'ab' * 8, {TAP: moments.statistics(TAP)})
    return str(path), feature


def norm(config, channels=12):
    return build_target_norm(config, channels, TAP, 'term')


def over_channels(feature):
    return feature.movedim(1, -1).flatten(0, -2)


def test_layer_norm_and_unit_vectors_at_each_position(found):
    vectors = over_channels(norm('layernorm')(found[1]))
    assert torch.allclose(vectors.mean(1), torch.zeros(len(vectors)), atol=1e-5)
    assert torch.allclose(vectors.var(1, correction=0), torch.ones(len(vectors)), atol=1e-3)
    assert torch.allclose(over_channels(norm('l2')(found[1])).norm(dim=1), torch.ones(len(vectors)))


@pytest.mark.parametrize('kind', ['standardize', 'phi_s'])
def test_over_the_training_set_every_channel_has_mean_0_and_variance_1(found, kind):
    path, feature = found
    vectors = over_channels(norm(dict(type=kind, statistics=path))(feature))
    assert torch.allclose(vectors.mean(0), torch.zeros(12), atol=1e-4)
    assert torch.allclose(vectors.var(0, correction=0), torch.ones(12), atol=1e-4)


def test_phi_s_keeps_the_proportions_of_distances(found):
    path, feature = found
    before, after = over_channels(feature)[:40], over_channels(norm(dict(type='phi_s', statistics=path))(feature))[:40]
    ratio = torch.pdist(after) / torch.pdist(before)
    assert torch.allclose(ratio, ratio[0].expand_as(ratio), rtol=1e-4)


@pytest.mark.parametrize('kind', ['layernorm', 'l2', 'standardize', 'phi_s'])
def test_layouts_agree_and_half_precision_does_not_come_in(found, kind):
    path, feature = found
    built = norm(dict(type=kind, **({'statistics': path} if kind in ('standardize', 'phi_s') else {})))
    vectors = over_channels(feature)
    expected = built(vectors)
    assert torch.allclose(over_channels(built(feature)), expected, atol=1e-5)
    assert torch.allclose(built(vectors.unflatten(0, (9, -1))).flatten(0, 1), expected, atol=1e-5)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(built(vectors), expected)
    assert built(vectors.bfloat16()).dtype == torch.float32
    assert not built.state_dict() and not list(built.parameters())


def test_a_channel_that_is_constant_becomes_0(tmp_path):
    feature = torch.randn(20, 4) * torch.tensor([1.0, 2.0, 0.0, 3.0])
    moments = Moments()
    moments.add(feature)
    write_statistics(tmp_path / 'x', 'ab' * 8, {TAP: moments.statistics(TAP)})
    built = norm(dict(type='standardize', statistics=str(tmp_path / 'x')), 4)
    assert torch.equal(built(feature + 1)[:, 2], torch.zeros(20))


def model(target_norm, at=TAP, kind='FitNetLoss', channels=12):
    torch.manual_seed(0)
    term = dict(type=kind, at=at, weight=1.0, target_norm=target_norm)
    given = tiny.distiller(terms=[term], input_size=SIZE)
    given['teacher'] = dict(config=tiny.recognizer(channels), checkpoint=None)
    return MODELS.build(given).train()


def data_for(built):
    return built.data_preprocessor(zoo.batch_for(tiny.recognizer(), SIZE), True)


def test_the_loss_sees_the_normalised_feature(found):
    path, _ = found
    built = model(dict(type='phi_s', statistics=path))
    (pair,) = built.training_state.terms['fitnet'].pairs
    seen = []
    built.training_state.terms['fitnet'].loss.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    data = data_for(built)
    step(built, data)
    expected = pair.target_norm(built.teachers['teacher'].features(data['views']['teacher'])[TAP])
    assert torch.equal(seen[0][1], expected)
    assert pair.connector.project.weight.grad.abs().sum() > 0
    assert not [key for key in built.training_state_dict() if 'target_norm' in key]
    assert (
        copy.deepcopy(built)
        .training_state.terms['fitnet']
        .pairs[0]
        .target_norm.rotation.equal(pair.target_norm.rotation)
    )


def test_statistics_of_another_teacher_are_warned_of(found, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(own_statistics, 'print_log', lambda text, **_: said.append(text))
    built = model(dict(type='phi_s', statistics=found[0]))
    expected = "term 'fitnet'.target_norm: its statistics are of another teacher (fingerprint abababababababab) than"
    assert len(said) == 1 and said[0].startswith(expected)
    own = tmp_path / 'own'
    write_statistics(own, built.teachers['teacher'].fingerprint, {TAP: read_statistics(found[0], TAP)})
    model(dict(type='phi_s', statistics=str(own)))
    assert len(said) == 1


def test_a_pruned_student_keeps_it(found):
    built = model(dict(type='phi_s', statistics=found[0]))
    kept = {tap: torch.ones(feature.shape[1], dtype=torch.bool) for tap, feature in built.tap_features().items()}
    built.refit(kept)
    assert built.training_state.terms['fitnet'].pairs[0].target_norm is not None
    step(built, data_for(built))


@TASK_UTILS.register_module(name='halved')
class HalvedTarget(TargetNorm):
    """One of a user's own."""

    def normalize(self, vectors):
        return vectors / 2


def test_one_of_a_users_own():
    built = model('halved')
    assert built.training_state.terms['fitnet'].pairs[0].target_norm(torch.ones(1, 12)).tolist() == [[0.5] * 12]


@pytest.mark.parametrize(
    ('config', 'error', 'said'),
    [
        ('layer_norm', KeyError, "target_norm: got 'layer_norm'; expected one of .*did you mean 'layernorm'"),
        ('KDLoss', KeyError, "target_norm: got 'KDLoss'"),
        ('phi_s', ValueError, r"got 'phi_s' without statistics; expected dict\(type='phi_s', statistics=<file>\)"),
        (dict(type='phi_s', statistics='none'), FileNotFoundError, 'none does not exist'),
        (dict(type='layernorm', eps=1e-3), KeyError, "unknown key 'eps'|'eps'"),
        (dict(type='phi_s', statistics='x', channels=3), KeyError, "got 'channels'; expected no such key"),
        (3, ValueError, r'terms\[0\].target_norm: got 3'),
    ],
)
def test_what_is_no_normalisation_is_said_when_it_is_built(config, error, said):
    with pytest.raises(error, match=said):
        model(config)


def test_statistics_of_other_channels_are_refused(found):
    with pytest.raises(ValueError, match=r"got statistics of 12 channels at 'backbone.layer1'; expected 16"):
        model(dict(type='phi_s', statistics=found[0]), channels=16)


@pytest.mark.parametrize(
    ('kind', 'at', 'said'),
    [
        ('KDLoss', 'logits', 'KDLoss compares class scores; take target_norm out'),
        ('OFDLoss', f'{TAP}:pre', 'OFDLoss asks the teacher about its feature'),
        ('SRRLLoss', ('pooled', 'pooled'), 'SRRLLoss asks the teacher about its feature'),
    ],
)
def test_what_must_not_be_normalised_is_refused(kind, at, said):
    with pytest.raises(ValueError, match=said):
        model('l2', at=at, kind=kind)


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """A distillation by an ensemble, whose statistics are still to be made."""
    folder = tmp_path_factory.mktemp('tool')
    videos = clips.make_set(folder / 'videos', count=5)
    torch.manual_seed(3)
    torch.save(dict(state_dict=build_model(tiny.recognizer(6)).state_dict()), folder / 'a.pth')
    norm = dict(type='phi_s', statistics=str(folder / 'a.safetensors'))
    given = tiny.distiller(
        terms=[tiny.KD, dict(tiny.MAP, at=(TAP, f'a.{TAP}'), target_norm=norm, weight=1.0)], input_size=None
    )
    members = {name: dict(config=tiny.recognizer(6), checkpoint=str(folder / 'a.pth')) for name in ('a', 'b')}
    given['teacher'] = dict(type='TeacherEnsemble', members=members)
    steps = [dict(type='DistillViews', student=clips.pipeline(layout='NCTHW'), teacher=dict(b=clips.pipeline(4, 24)))]
    steps[0]['teacher']['b'] = clips.pipeline(4, 24, layout='NCTHW')
    return Config(clips.runner_config(videos, folder, given, steps)), folder


@pytest.mark.slow
def test_a_tool_measures_what_the_terms_read(config, capsys):
    config, folder = config
    with pytest.raises(FileNotFoundError, match='a.safetensors does not exist; make it again'):
        MODELS.build(config.model)
    path = folder / 'a.py'
    config.dump(path)
    command.main([str(path), '--teacher-name', 'a', '--out', str(folder / 'a.safetensors'), '--workers', '1'])
    said = capsys.readouterr().out
    assert f'{TAP}: 6 channels at ' in said and 'statistics of 5 clips' in said
    built = MODELS.build(config.model)
    assert built.training_state.terms['fitnet'].pairs[0].target_norm.rotation.shape == (6, 6)
    with pytest.raises(SystemExit):
        command.main([str(path), '--teacher-name', 'a', '--out', str(folder / 'a.safetensors')])
    assert 'exists; give another name, or --force' in ''.join(capsys.readouterr())


@pytest.mark.slow
def test_the_clips_are_drawn_the_same_each_time(config):
    config, folder = config
    for name, number in (('x', 3), ('y', 3), ('z', 5)):
        feature_statistics(config, folder / name, teacher='b', taps=[TAP], clips=number, batch_size=2, workers=0)
    first, second, whole = (read_statistics(folder / name, TAP) for name in 'xyz')
    assert torch.equal(first.mean, second.mean) and not torch.equal(first.mean, whole.mean)
    assert whole.positions == 5 * first.positions // 3


@pytest.mark.parametrize(
    ('asked', 'error', 'said'),
    [
        (dict(), KeyError, 'teacher: got None; expected the name of one of a, b'),
        (dict(teacher='c'), KeyError, "teacher: got 'c'; expected the name of one of a, b"),
        (dict(teacher='b'), ValueError, '--taps: got none, and no term reads a feature of b'),
        (dict(teacher='a', taps=['backbone.layer9']), KeyError, 'names no module'),
    ],
)
def test_what_cannot_be_measured_is_said(config, asked, error, said):
    config, folder = config
    with pytest.raises(error, match=said):
        feature_statistics(config, folder / 'none', **asked)
    assert not (folder / 'none').exists()


def test_a_file_holds_numbers_and_json(found):
    content = Path(found[0]).read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], 'little')])
    assert set(header) == {'__metadata__', *(f'{TAP}/{part}' for part in ('mean', 'std', 'rotation'))}
