"""Quantization while training: with real clips, through MMEngine's runner."""

import shutil
from pathlib import Path

import clips
import pytest
import torch
import zoo
from killable_run import assert_same, final_state
from mmengine.config import Config
from mmengine.runner import Runner
from qat_run import HOOK, config_for

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import build_model
from mmkd_video.hooks import PruningHook, QATHook, qat_hook
from mmkd_video.quantization import QUANTIZATION_KEY, has_quantizers, load_quantizers, quantizer_parameters

pytest.importorskip('nncf')
PRUNING = dict(type='PruningHook', target=dict(params=0.5), begin=1)


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=4)


@pytest.fixture(scope='module')
def trained(videos, tmp_path_factory):
    """A distillation of three epochs, quantized from the second on; ``runner`` has run it."""
    folder = tmp_path_factory.mktemp('whole') / 'run'
    runner = Runner.from_cfg(config_for(videos, folder))
    runner.train()
    return folder, runner


def last(folder):
    return safe_load.load(Path(folder, 'last_checkpoint').read_text())


def test_the_checkpoint_is_the_plain_student_with_quantizers_beside_it(trained):
    folder, runner = trained
    early, late = (safe_load.load(folder / f'epoch_{epoch}.pth') for epoch in (1, 3))
    assert QUANTIZATION_KEY not in early and 'training_state' in late
    student = build_model(zoo.config_of('i3d')[0])
    student.load_state_dict(late['state_dict'], strict=True)
    load_quantizers(student, late[QUANTIZATION_KEY])
    assert_same(dict(student.state_dict()), dict(runner.model.state_dict()))
    ranges = quantizer_parameters(runner.model.student)
    assert all(torch.equal(a, b) for a, b in zip(quantizer_parameters(student), ranges, strict=True))
    assert not any(has_quantizers(teacher.module) for teacher in runner.model.teachers.values())


def test_ranges_are_trained_with_the_learning_rate_of_the_others_and_without_decay(trained):
    folder, runner = trained
    groups = runner.optim_wrapper.optimizer.param_groups
    assert groups[-1]['lr'] == groups[0]['lr'] and groups[-1]['initial_lr'] == groups[0]['initial_lr']
    assert groups[-1]['weight_decay'] == 0 < groups[0]['weight_decay']
    assert len(groups[-1]['params']) == len(quantizer_parameters(runner.model.student)) > 20
    before, after = (safe_load.load(folder / f'epoch_{epoch}.pth')[QUANTIZATION_KEY]['tensors'] for epoch in (2, 3))
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_batch_norms_keep_what_they_know_from_the_first_rounded_step_on(trained):
    early, late = (safe_load.load(trained[0] / f'epoch_{epoch}.pth')['state_dict'] for epoch in (1, 3))
    known = [name for name in late if name.endswith(('running_mean', 'running_var'))]
    assert known and all(torch.equal(early[name], late[name]) for name in known)
    weights = [name for name in late if name.endswith('.weight')]
    assert not all(torch.equal(early[name], late[name]) for name in weights)


def test_a_resumed_training_ends_with_the_same_bits(videos, trained, tmp_path):
    expected = final_state(trained[0])[0]
    for name in ('mmkd_run.json', 'epoch_2.pth'):
        shutil.copy(trained[0] / name, tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
    runner = Runner.from_cfg(config_for(videos, tmp_path, resume=True, experiment_name='resumed'))
    runner.train()
    assert_same(final_state(tmp_path)[0], expected)
    assert_same(last(tmp_path)[QUANTIZATION_KEY], last(trained[0])[QUANTIZATION_KEY])


def test_a_plain_recognizer_starts_from_weights_and_is_tested_with_its_quantizers(videos, trained, tmp_path):
    model, _ = zoo.config_of('i3d')
    start = str(trained[0] / 'epoch_1.pth')
    hook = dict(HOOK, begin=0, by_epoch=False, lr_mult=0.1)
    config = config_for(videos, tmp_path, hook, model, epochs=1, load_from=start, experiment_name='plain')
    runner = Runner.from_cfg(config)
    runner.train()
    groups = runner.optim_wrapper.optimizer.param_groups
    assert groups[-1]['lr'] == pytest.approx(0.1 * groups[0]['lr'])
    config.update(load_from=Path(tmp_path, 'last_checkpoint').read_text(), experiment_name='tested')
    tester = Runner.from_cfg(config)
    tester.val()
    assert has_quantizers(tester.model)
    ranges = zip(quantizer_parameters(tester.model), quantizer_parameters(runner.model), strict=True)
    assert all(torch.equal(a, b) for a, b in ranges)


@pytest.mark.parametrize(
    'hook, extra, message',
    [
        (dict(begin=3), {}, 'got 3; expected less than the 3 epochs'),
        (dict(), dict(hooks=[dict(type='EMAHook')]), 'EMAHook averages a copy'),
        (dict(), dict(compile=True), 'do not work in a compiled model'),
        (dict(), dict(hooks=[dict(PRUNING, begin=2)]), 'pruning ends at 2'),
        (dict(), dict(hooks=[dict(PRUNING, criterion='taylor')]), 'at 1, which is iteration 9'),
        (dict(begin=3, by_epoch=False), dict(hooks=[dict(PRUNING, begin=2)]), 'at 2, which is iteration 4'),
    ],
)
def test_what_does_not_go_together_is_refused_before_training(videos, tmp_path, hook, extra, message):
    model, _ = zoo.config_of('i3d')
    name = f'refused {message}'
    runner = Runner.from_cfg(config_for(videos, tmp_path, dict(HOOK, **hook), model, experiment_name=name, **extra))
    with pytest.raises(ValueError, match=message):
        runner.train()


def test_pruning_and_quantization_are_compared_in_iterations(videos, tmp_path):
    model, _ = zoo.config_of('i3d')
    hooks = [dict(PRUNING, begin=3, by_epoch=False), dict(PRUNING, begin=1, criterion='taylor', batches=2)]
    config = config_for(videos, tmp_path, dict(HOOK, begin=2), model, hooks=hooks)
    runner = Runner.from_cfg(config)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    next(hook for hook in runner.hooks if isinstance(hook, QATHook)).before_run(runner)
    assert [hook.last_cut(2) for hook in runner.hooks if isinstance(hook, PruningHook) and hook.points] == [3, 3]


def test_quantized_model_is_not_pruned(videos, trained, tmp_path):
    model, _ = zoo.config_of('i3d')
    checkpoint = dict(safe_load.load(trained[0] / 'epoch_3.pth'))
    torch.save({key: checkpoint[key] for key in ('meta', 'state_dict', QUANTIZATION_KEY)}, tmp_path / 'quantized.pth')
    config = config_for(videos, tmp_path / 'run', dict(HOOK, begin=2), model, hooks=[PRUNING])
    config.update(load_from=str(tmp_path / 'quantized.pth'), experiment_name='cut')
    with pytest.raises(ValueError, match='a step is due, but the model has quantizers already'):
        Runner.from_cfg(config).train()


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(begin=-1), r'QATHook\.begin: got -1'),
        (dict(calibration=0), r'QATHook\.calibration: got 0'),
        (dict(preset='int4'), "preset: got 'int4'"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        QATHook(**settings)


def test_missing_compilers_are_said(videos, tmp_path, monkeypatch):
    monkeypatch.setattr('mmkd_video.quantization.operators.missing_compilers', lambda cuda: ['g++', 'ninja'])
    runner = Runner.from_cfg(Config(dict(config_for(videos, tmp_path, dict(HOOK, operators='compiled')))))
    with pytest.raises(RuntimeError, match=r'needs g\+\+ and ninja on the PATH'):
        runner.train()
    assert qat_hook.choose_operators('auto') == 'torch'
