"""Probes trained on what a tiny random encoder gives for real clips, and the teachers that they make."""

import signal
import subprocess
import sys
import time

import clips
import numpy as np
import probed_sets
import pytest
import torch
import transformers_models
from mmengine.registry import init_default_scope

from mmkd_video.cli import probe as command
from mmkd_video.compat import safe_load
from mmkd_video.core.mistakes import MissingFileError, WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.datasets import render_motion_clips
from mmkd_video.datasets.motion_clips import CLASSES
from mmkd_video.teachers.probe_file import KEY, read_probe, save
from mmkd_video.workflows.cache.caching import cache_teacher
from mmkd_video.workflows.probe import probing
from mmkd_video.workflows.probe.grid import Point, ProbeGrid, factor_at
from mmkd_video.workflows.probe.probing import train_probe
from mmkd_video.workflows.train.training import build_runner

GRID = dict(learning_rates=(1e-2, 1e-3), weight_decays=(0.0, 0.1), epochs=2)
COUNT = 10


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    transformers_models.library()
    return probed_sets.encoder(tmp_path_factory.mktemp('encoder') / 'model')


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    root = clips.make_set(tmp_path_factory.mktemp('videos') / 'set', count=COUNT)
    (root / 'classes.txt').write_text('a\nb\nc\nd\ne\n')
    return root


@pytest.fixture(scope='module')
def trained(folder, videos, tmp_path_factory):
    path = tmp_path_factory.mktemp('probe') / 'probe.pth'
    return path, train_probe(probed_sets.config_of(videos, folder, path.parent, path), path, **GRID)


def weights(path):
    return read_probe(path, 'probe')[1].state_dict()


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_all_places_of_the_grid_are_tried_and_the_best_is_written(trained):
    path, done = trained
    assert len(done.tried) == 4 and done.clips == done.validated == COUNT
    assert {each.point for each in done.tried} == {Point(a, b) for a in (1e-2, 1e-3) for b in (0.0, 0.1)}
    assert (done.best.accuracy, -done.best.loss) == max((each.accuracy, -each.loss) for each in done.tried)
    known, head = read_probe(path, 'probe')
    assert (known.learning_rate, known.weight_decay) == (done.best.point.learning_rate, done.best.point.weight_decay)
    assert known.tap == 'last_hidden_state' and known.kind == 'attentive' and head.linear.out_features == 5
    assert sorted(each.name for each in path.parent.iterdir() if not each.name.startswith('.')) == ['probe.pth']


def test_the_encoder_runs_once_for_all_of_the_grid(folder, videos, tmp_path, monkeypatch):
    calls = []
    features = probing.FrozenTeacher.features
    monkeypatch.setattr(
        probing.FrozenTeacher, 'features', lambda self, inputs: calls.append(len(inputs)) or features(self, inputs)
    )
    config = probed_sets.config_of(videos, folder, tmp_path, tmp_path / 'probe.pth')
    train_probe(config, tmp_path / 'probe.pth', **{**GRID, 'epochs': 1})
    assert calls == [1, 4, 4, 2, 4, 4, 2]  # noise, that tells the channels; training; validation


def test_a_place_of_the_grid_learns_as_it_would_alone(folder, videos, tmp_path, trained):
    path, done = trained
    alone = dict(learning_rates=[done.best.point.learning_rate], weight_decays=[done.best.point.weight_decay], epochs=2)
    config = probed_sets.config_of(videos, folder, tmp_path, tmp_path / 'probe.pth')
    found = train_probe(config, tmp_path / 'probe.pth', **alone)
    assert same(weights(tmp_path / 'probe.pth'), weights(path)) and found.best.loss == pytest.approx(done.best.loss)


def test_the_best_on_the_validation_clips_is_written(folder, videos, tmp_path, monkeypatch):
    """Whichever place of the grid it has; of equal ones, that with the smaller loss."""
    points = [Point(rate, decay) for rate in GRID['learning_rates'] for decay in GRID['weight_decays']]
    figures = [(0.2, 1.0), (0.4, 1.5), (0.4, 1.4), (0.1, 0.1)]
    told = [probing.Tried(point, *each, 0.0) for point, each in zip(points, figures, strict=True)]
    trained = []

    def validate(grid, clips, losses):
        trained.append(grid)
        return told, COUNT

    monkeypatch.setattr(probing, '_validate', validate)
    path = tmp_path / 'probe.pth'
    done = train_probe(probed_sets.config_of(videos, folder, tmp_path, path), path, **{**GRID, 'epochs': 1})
    assert done.best == told[2]
    assert same(weights(path), trained[0].probes[2].state_dict())


@pytest.mark.parametrize('stopped', [1, 2, 4])
def test_a_training_that_was_stopped_ends_as_one_that_was_not(folder, videos, tmp_path, trained, stopped):
    path = tmp_path / 'probe.pth'
    config = probed_sets.config_of(videos, folder, tmp_path, path)

    def stop(done, total):
        assert total == 6
        if done == stopped:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_probe(config, path, **GRID, save_every=1, progress=stop)
    assert not path.exists()
    seen = []
    found = train_probe(config, path, **GRID, progress=lambda done, total: seen.append(done))
    assert seen[0] == stopped + 1
    assert same(weights(path), weights(trained[0])) and found.tried == trained[1].tried
    assert not list(tmp_path.glob('*.part'))


def test_what_another_training_left_is_not_gone_on_with(folder, videos, tmp_path):
    path = tmp_path / 'probe.pth'
    config = probed_sets.config_of(videos, folder, tmp_path, path)
    save(dict(told='x', done=1), tmp_path / 'probe.pth.part')
    with pytest.raises(WrongValueError, match='was left by a training with other settings'):
        train_probe(config, path, **GRID)


@pytest.mark.slow
def test_what_is_no_state_of_the_training_is_refused_in_one_line(folder, videos, tmp_path):
    path, part = tmp_path / 'probe.pth', tmp_path / 'probe.pth.part'
    config = probed_sets.config_of(videos, folder, tmp_path, path)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_probe(config, path, **GRID, save_every=1, progress=stop)
    state = safe_load.load(part)
    losses = dict(losses=torch.zeros(9))
    for change in (dict(done='1'), dict(done=10**9), dict(done=-1), losses, dict(probes={}), dict(optimizer=3)):
        save({**state, **change}, part)
        with pytest.raises(
            WrongValueError, match='does not hold the state of such a training .*remove this file'
        ) as found:
            train_probe(config, path, **GRID)
        assert '\n' not in str(found.value) and len(str(found.value)) < 500
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(ValueError, match='probe.pth.part'):
        train_probe(config, path, **GRID)
    assert not path.exists()


def test_it_teaches_the_students_classes(folder, videos, tmp_path, trained):
    """A step of a distillation: its scores are the probe's on the encoder's own tokens, and the student learns."""
    config = probed_sets.config_of(videos, folder, tmp_path, trained[0])
    runner = build_runner(config)
    teacher = runner.model.teachers['teacher']
    assert teacher.num_classes == 5 and teacher.classes is None
    clip = torch.randn(2, 1, 3, transformers_models.FRAMES, 32, 32, generator=torch.Generator().manual_seed(0))
    teacher.tap(['logits', 'pooled', 'last_hidden_state'])
    found = teacher.features(clip)
    tokens = found['last_hidden_state'].flatten(2).transpose(1, 2)
    _, head = read_probe(trained[0], 'probe')
    torch.testing.assert_close(found['logits'], head(tokens).detach())
    weight, bias = teacher.classifier()
    torch.testing.assert_close(found['pooled'] @ weight.T + bias, found['logits'])
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    runner = build_runner(config)
    runner.train()
    after = runner.model.state_dict()
    assert any(not torch.equal(after[key], before[key]) for key in before) and not any('probe' in key for key in after)
    assert all(value > 0 for value in runner.message_hub.log_scalars['train/loss_kd'].data[0])
    (path,) = tmp_path.rglob('teacher_predictions_*.npz')
    kept = np.load(path)['probabilities']
    assert kept.shape == (COUNT, 5) and np.allclose(kept.sum(axis=1), 1, atol=1e-5)
    right = (kept.argmax(axis=1) == np.arange(COUNT) % 5).mean()
    assert right == pytest.approx(trained[1].best.accuracy)


def test_classes_are_taken_by_name_from_the_probe(folder, videos, tmp_path, trained):
    init_default_scope('mmaction')
    given = dict(type='ProbedTeacher', config=f'hf::{folder}', probe=str(trained[0]))
    whole, some = MODELS.build(given), MODELS.build(dict(given, classes=['c', 'a']))
    assert some.classes == [2, 0] and some.num_classes == 2
    clip = torch.randn(1, 1, 3, transformers_models.FRAMES, 32, 32)
    for teacher in (whole, some):
        teacher.tap(['logits'])
    torch.testing.assert_close(some.features(clip)['logits'], whole.features(clip)['logits'][:, [2, 0]])
    assert some.fingerprint != whole.fingerprint


def test_the_probe_is_in_float32_beside_an_encoder_in_half_precision(folder, trained):
    init_default_scope('mmaction')
    given = dict(type='ProbedTeacher', config=f'hf::{folder}', probe=str(trained[0]))
    whole, half = MODELS.build(given), MODELS.build(dict(given, precision='bf16'))
    clip = torch.randn(2, 1, 3, transformers_models.FRAMES, 32, 32)
    for teacher in (whole, half):
        teacher.tap(['logits'])
    found, expected = half.features(clip)['logits'], whole.features(clip)['logits']
    assert found.dtype == half.module.probe.linear.weight.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0.05)
    with torch.autocast('cpu', torch.bfloat16):
        assert whole.features(clip)['logits'].dtype == torch.float32


def test_its_answers_are_cached(folder, videos, tmp_path, trained):
    done = cache_teacher(probed_sets.config_of(videos, folder, tmp_path, trained[0]), tmp_path / 'cache')
    assert done.clips == done.computed == COUNT


def test_a_backbone_of_mmaction_is_probed_too(videos, tmp_path):
    import tiny
    from mmengine.config import Config

    pipeline = clips.pipeline(train=False, layout='NCTHW')
    Config(dict(model=tiny.recognizer(), val_pipeline=pipeline, train_pipeline=pipeline)).dump(tmp_path / 'encoder.py')
    config = probed_sets.config_of(videos, 'unused', tmp_path, tmp_path / 'probe.pth')
    config.model.teacher = dict(
        type='ProbedTeacher', config=str(tmp_path / 'encoder.py'), checkpoint=None, probe=str(tmp_path / 'probe.pth')
    )
    config.train_dataloader.dataset.pipeline[0].teacher = str(tmp_path / 'encoder.py')
    done = train_probe(config, tmp_path / 'probe.pth', head='linear', **{**GRID, 'epochs': 1})
    known, head = read_probe(tmp_path / 'probe.pth', 'probe')
    assert (known.kind, known.tap, known.channels) == ('linear', 'backbone', 8) and len(done.tried) == 4
    with pytest.raises(WrongValueError, match='was trained on another encoder'):
        init_default_scope('mmaction')
        MODELS.build(config.model.teacher)  # its random weights are others


@pytest.mark.parametrize('change', ['missing', 'nothing', 'text', 'kind', 'classes', 'cut', 'flipped', 'nan', 'shape'])
def test_a_hostile_or_damaged_probe_is_refused_in_one_line(trained, tmp_path, change):
    path = tmp_path / 'probe.pth'
    content = torch.load(trained[0], weights_only=True)
    if change == 'nothing':
        content = dict(state_dict={})
    elif change == 'text':
        content['state_dict'] = dict(linear='x')
    elif change == 'kind':
        content[KEY]['kind'] = 'ResNet'
    elif change == 'classes':
        content[KEY]['classes'] = ['x'] * 99_000
    elif change == 'nan':
        content['state_dict']['linear.bias'][0] = float('nan')
    elif change == 'shape':
        content['state_dict']['linear.bias'] = torch.zeros(6)
    if change != 'missing':
        torch.save(content, path)
    if change in ('cut', 'flipped'):
        found = bytearray(path.read_bytes())
        found[len(found) // 2] ^= 0xFF
        path.write_bytes(found[: len(found) - 2000] if change == 'cut' else found)
    with pytest.raises((WrongValueError, MissingFileError, ValueError)) as error:
        read_probe(path, 'teacher.probe')
    assert '\n' not in str(error.value) and 'probe' in str(error.value)


def test_a_pickle_in_a_probe_is_not_run(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (exec, ("raise SystemExit('run')",))

    (tmp_path / 'probe.pth').write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError):
        read_probe(tmp_path / 'probe.pth', 'teacher.probe')


@pytest.mark.parametrize(
    ('change', 'said', 'kind'),
    [
        (dict(model=dict(teacher=dict(type='EMATeacher'))), "teacher.type: got 'EMATeacher'", WrongValueError),
        (dict(val_dataloader=None), 'val_dataloader: got none; expected the clips', WrongValueError),
    ],
)
def test_a_config_that_cannot_be_probed_is_told(folder, videos, tmp_path, change, said, kind):
    config = probed_sets.config_of(videos, folder, tmp_path, tmp_path / 'probe.pth')
    config.merge_from_dict({'model.teacher.type': 'EMATeacher'} if 'model' in change else change)
    with pytest.raises(kind, match=said):
        train_probe(config, tmp_path / 'probe.pth', **GRID)


def test_a_teacher_that_is_not_there_and_a_view_that_is_not_there_are_told(folder, videos, tmp_path):
    config = probed_sets.config_of(videos, folder, tmp_path, tmp_path / 'probe.pth')
    with pytest.raises(WrongKeyError, match="teacher: got 'other'; expected the name of one of teacher"):
        train_probe(config, tmp_path / 'probe.pth', teacher='other', **GRID)
    config.train_dataloader.dataset.pipeline = clips.pipeline(layout='NCTHW')
    with pytest.raises(WrongValueError, match='got no DistillViews'):
        train_probe(config, tmp_path / 'probe.pth', **GRID)


def test_one_that_diverges_leaves_the_others_as_they_are():
    tokens, labels = torch.randn(8, 3, 16), torch.arange(8) % 4

    def train(points):
        grid = ProbeGrid('AttentiveProbe', 16, 4, points, seed=0)
        for step in range(10):
            losses = grid.step(tokens, labels, step / 10)
        return grid.probes[0].state_dict(), losses

    alone, _ = train([Point(1e-3, 0.1)])
    together, losses = train([Point(1e-3, 0.1), Point(1e30, 0.0)])
    assert same(alone, together) and not losses[1].isfinite()


def test_the_rate_rises_and_falls():
    found = [factor_at(share / 100) for share in range(101)]
    assert found[0] < 0.05 and max(found) == 1.0 and found[-1] == pytest.approx(0.0, abs=1e-6)
    assert found == sorted(found[:6]) + sorted(found[6:], reverse=True)


def test_a_weight_decay_is_one_of_matrices_alone():
    grid = ProbeGrid('LinearProbe', 4, 2, [Point(1e-3, 0.5)], seed=0)
    assert [(group['weight_decay'], len(group['params'])) for group in grid.optimizer.param_groups] == [
        (0.5, 1),
        (0, 1),
    ]


def test_the_command_says_the_table_and_goes_on(folder, videos, tmp_path, capsys):
    path = tmp_path / 'probe.pth'
    config = probed_sets.config_of(videos, folder, tmp_path, path)
    config.dump(tmp_path / 'config.py')
    words = [
        str(tmp_path / 'config.py'),
        '--head',
        'linear',
        '--epochs',
        '1',
        '--lr',
        '0.01',
        '1e-6',
        '--weight-decay',
        '0',
    ]
    command.main(words)
    lines = capsys.readouterr().out.splitlines()
    head = next(place for place, line in enumerate(lines) if 'validation accuracy' in line)
    assert [line.split()[:2] for line in lines[head + 2 : head + 4]] == [['0.01', '0'], ['1e-06', '0']]
    assert f'{path} holds the best, of learning rate' in lines[-1] and 'chance is 20.0%' in lines[-1]
    assert read_probe(path, 'probe')[0].kind == 'linear'
    with pytest.raises(SystemExit) as error:
        command.main(words)
    assert error.value.code and '--force' in capsys.readouterr().err


@pytest.mark.slow
def test_a_random_encoder_with_a_probe_tells_motions_apart(tmp_path):
    """Embedded motion clips of eight classes: the best probe is far above chance, and teaches."""
    transformers_models.library()
    root = tmp_path / 'motion'
    render_motion_clips(root, num_clips=dict(train=320, val=160))
    folder = probed_sets.encoder(tmp_path / 'model', settings=dict(hidden_size=64, num_frames=8))
    config = probed_sets.config_of(root, folder, tmp_path, tmp_path / 'probe.pth', 16, ('train.txt', 'val.txt'))
    config.model.student.cls_head.num_classes, config.classes = 8, list(CLASSES)
    done = train_probe(
        config, tmp_path / 'probe.pth', epochs=16, learning_rates=(1e-2, 5e-3, 2e-3), weight_decays=(0.01,)
    )
    print('MOTION', [(each.point, each.accuracy) for each in done.tried])
    assert done.validated == 160 and len(done.classes) == 8
    assert done.best.accuracy > 0.125 + 3 * (0.125 * 0.875 / 160) ** 0.5
    build_runner(config).train()


@pytest.mark.slow
def test_a_killed_command_ends_as_one_that_was_not(folder, videos, tmp_path):
    """A process that is killed while it trains; the same command then makes the same file."""
    config = probed_sets.config_of(videos, folder, tmp_path, tmp_path / 'probe.pth', batch_size=2)
    config.dump(tmp_path / 'config.py')
    words = [sys.executable, '-m', 'mmkd_video', 'probe', str(tmp_path / 'config.py'), '--lr', '0.01', '--epochs', '6']
    subprocess.run([*words, '--out', str(tmp_path / 'whole.pth')], check=True, capture_output=True)
    killed = subprocess.Popen([*words, '--out', str(tmp_path / 'probe.pth')], stderr=subprocess.PIPE)
    while not (tmp_path / 'probe.pth.part').exists():
        assert killed.poll() is None, killed.stderr.read().decode()
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL and not (tmp_path / 'probe.pth').exists()
    subprocess.run([*words, '--out', str(tmp_path / 'probe.pth')], check=True, capture_output=True)
    assert same(weights(tmp_path / 'probe.pth'), weights(tmp_path / 'whole.pth'))
