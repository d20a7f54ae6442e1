"""Pruning while training: with real clips, through MMEngine's runner, killed and resumed."""

import copy
import signal
from pathlib import Path

import clips
import pruned_run
import pytest
import torch
import zoo
from killable_run import assert_same, final_state
from mmengine.config import Config
from mmengine.runner import Runner
from pruned_run import config_for, launch

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import build_model
from mmkd_video.hooks import PruningHook, pruning_hook
from mmkd_video.hooks.pruning_hook import step_points
from mmkd_video.pruning import PRUNING_KEY, PruningHistory, count_params, history_of, prune


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=4)


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.setattr(Config, 'pretty_text', property(lambda config: ''))


def plain(hook, videos, folder, name='tsm_mobilenet', **extra):
    model, _ = zoo.config_of(name)
    return config_for(videos, folder, hook=hook, model=model, **extra)


def last(folder):
    return safe_load.load(Path(folder, 'last_checkpoint').read_text())


@pytest.fixture(scope='module')
def uninterrupted(videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole') / 'run'
    events, code = launch(dict(videos=videos, work_dir=folder))
    assert code == 0, (folder.parent / 'log.txt').read_text()[-3000:]
    return folder, events


@pytest.mark.slow
def test_student_is_pruned_in_steps_while_it_is_distilled(uninterrupted):
    folder, events = uninterrupted
    assert events.count('cut') == 2
    assert [event for event in events if event in ('iter', 'cut')] == ['iter'] * 2 + (['cut'] + ['iter'] * 2) * 2
    checkpoint = last(folder)
    history = PruningHistory.from_json(checkpoint[PRUNING_KEY])
    config, _ = zoo.config_of('tsm_mobilenet')
    whole = count_params(build_model(config))
    assert len(history) == 2 and history.steps[0].before['params'] == whole
    assert 0.7 * whole < history.steps[0].after['params'] <= 0.75 * whole
    assert 0.45 * whole < history.steps[1].after['params'] <= 0.5 * whole
    model = build_model(dict(type='PrunedRecognizer', recognizer=config, history=checkpoint[PRUNING_KEY]))
    model.load_state_dict(checkpoint['state_dict'], strict=True)
    connector = checkpoint['training_state']['terms.fitnet.pairs.0.connector.project.weight']
    assert connector.shape[1] == model.backbone.layer4[-1].conv[-1].conv.out_channels


@pytest.mark.slow
@pytest.mark.parametrize('step', [1, 2])
def test_killed_right_after_a_step_it_resumes_to_the_same_bits(videos, uninterrupted, tmp_path, step):
    expected = final_state(uninterrupted[0])
    assert expected[0]['ema_state_dict']
    run = dict(videos=videos, work_dir=tmp_path / 'run')
    _, code = launch(run, lambda events: events.count('cut') == step)
    assert code == -signal.SIGKILL, (tmp_path / 'log.txt').read_text()[-3000:]
    events, code = launch(dict(run, resume=True))
    assert code == 0, (tmp_path / 'log.txt').read_text()[-3000:]
    assert events.count('cut') == 2  # what the checkpoint had is repeated
    state, place = final_state(run['work_dir'])
    assert place == expected[1]
    assert_same(state, expected[0])


def test_momentum_and_averages_are_cut_with_the_weights(videos, tmp_path, quiet):
    hook = dict(type='PruningHook', target=dict(params=0.6), begin=1)
    # with buffers, the average holds detached tensors instead of the parameters
    average = dict(pruned_run.EMA, update_buffers=True)
    runner = Runner.from_cfg(plain(hook, videos, tmp_path, epochs=2, ema=average))
    seen = {}

    def before(runner, step):
        seen['step'], seen['optimizer'] = step, copy.deepcopy(runner.optim_wrapper.optimizer.state)
        names = {parameter: name for name, parameter in runner.model.named_parameters()}
        seen['moments'] = {names[p]: s['exp_avg'].clone() for p, s in runner.optim_wrapper.optimizer.state.items()}
        seen['average'] = {name: p.clone() for name, p in ema.ema_model.module.named_parameters()}
        cut(runner, step)
        seen['after'] = {names[p]: s['exp_avg'].clone() for p, s in runner.optim_wrapper.optimizer.state.items()}
        seen['average after'] = {name: p.clone() for name, p in ema.ema_model.module.named_parameters()}

    ema = next(hook for hook in runner.hooks if type(hook).__name__ == 'EMAHook')
    cut = pruning_hook.prune_everywhere
    pruning_hook.prune_everywhere = before
    try:
        runner.train()
    finally:
        pruning_hook.prune_everywhere = cut
    found = next(c for c in seen['step'].cuts if c.side == 'out' and c.layer.endswith('conv'))
    kept, name = found.kept(), f'{found.layer}.weight'
    for when in ('moments', 'average'):
        after = seen['after' if when == 'moments' else 'average after'][name]
        rows = seen[when][name][kept]
        assert after.shape[0] == len(kept) < found.size
        if after.shape == rows.shape:  # its inputs were left alone
            assert torch.equal(after, rows)
    state = runner.optim_wrapper.optimizer.state
    assert all(s['exp_avg'].shape == p.shape and s['step'] == 4 for p, s in state.items())
    assert all(
        a.shape == p.shape for a, p in zip(ema.ema_model.module.parameters(), runner.model.parameters(), strict=True)
    )


@pytest.mark.parametrize('settings', [dict(criterion='taylor', batches=1), dict(criterion='random', by_epoch=False)])
def test_plain_recognizer_with_other_criteria(videos, tmp_path, quiet, settings):
    hook = dict(type='PruningHook', target=dict(params=0.6), begin=1, **settings)
    runner = Runner.from_cfg(plain(hook, videos, tmp_path, epochs=2, ema=False))
    whole = count_params(runner.model)
    runner.train()
    assert 0.5 * whole < count_params(runner.model) <= 0.6 * whole
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())
    assert last(tmp_path)[PRUNING_KEY] == history_of(runner.model).to_json()


@pytest.mark.slow
def test_checkpoint_is_tested_by_the_training_config_and_goes_on_from_weights(videos, tmp_path, quiet):
    hook = dict(type='PruningHook', target=dict(params=0.6), begin=0)
    first = Runner.from_cfg(plain(hook, videos, tmp_path / 'first', epochs=1, ema=False))
    first.train()
    checkpoint = Path(tmp_path, 'first', 'last_checkpoint').read_text()
    config = plain(hook, videos, tmp_path / 'test', epochs=1, ema=False, load_from=checkpoint)
    config.update(experiment_name='tested')
    tester = Runner.from_cfg(config)
    tester.val()
    assert_same(dict(tester.model.state_dict()), dict(first.model.state_dict()))
    config = plain(dict(hook, target=dict(params=0.8)), videos, tmp_path / 'second', epochs=1, ema=False)
    config.update(load_from=checkpoint, experiment_name='second')
    second = Runner.from_cfg(config)
    second.train()
    assert len(history_of(second.model)) == 2
    assert 0.7 < count_params(second.model) / count_params(first.model) <= 0.8


@pytest.mark.slow
def test_resumed_training_from_pruned_weights_does_all_of_its_steps(videos, tmp_path, quiet):
    model, _ = zoo.config_of('tsm_mobilenet')
    pruned = build_model(model)
    history = prune(pruned, torch.randn(1, 8, 3, 32, 32), dict(params=0.8))
    checkpoint = dict(meta={}, state_dict=pruned.state_dict(), pruning=history.to_json())
    torch.save(checkpoint, tmp_path / 'pruned.pth')
    folder, hook = tmp_path / 'run', dict(type='PruningHook', target=dict(params=0.6), begin=1, end=2, steps=2)
    config = plain(hook, videos, folder, epochs=3, ema=False, load_from=str(tmp_path / 'pruned.pth'))
    whole = Runner.from_cfg(config)
    whole.train()
    assert len(history_of(whole.model)) == 3
    expected = final_state(folder)
    (folder / 'epoch_3.pth').unlink()  # as if it was killed after its first step
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_2.pth'))
    resumed = Runner.from_cfg(plain(hook, videos, folder, epochs=3, ema=False, resume=True, experiment_name='resumed'))
    resumed.train()
    assert len(history_of(resumed.model)) == 3
    assert 0.55 < count_params(resumed.model) / count_params(pruned) <= 0.6
    assert_same(final_state(folder)[0], expected[0])


def test_history_is_kept_without_a_target(videos, tmp_path, quiet):
    model, _ = zoo.config_of('tsm_mobilenet')
    pruned, inputs = build_model(model), torch.randn(1, 8, 3, 32, 32)
    history = prune(pruned, inputs, dict(params=0.7)).to_json()
    model = dict(type='PrunedRecognizer', recognizer=model, history=history)
    runner = Runner.from_cfg(
        config_for(videos, tmp_path, hook=dict(type='PruningHook'), model=model, epochs=1, ema=False)
    )
    runner.train()
    assert last(tmp_path)[PRUNING_KEY] == history


def test_steps_that_do_not_fit_are_told(videos, tmp_path, quiet, monkeypatch):
    hook = dict(type='PruningHook', target=dict(params=0.6), begin=1, criterion='taylor', batches=100)
    runner = Runner.from_cfg(plain(hook, videos, tmp_path, epochs=2, ema=False))
    said = []
    monkeypatch.setattr(runner.logger, 'warning', lambda text, *more: said.append(str(text)))
    runner.train()
    (line,) = [text for text in said if text.startswith('pruning: ')]
    assert 'only 0 of 1 steps were done' in line and len(history_of(runner.model)) == 0


def test_layers_that_stay_whole_are_logged_once(videos, tmp_path, quiet, monkeypatch):
    hook = dict(type='PruningHook', target=dict(params=0.8), begin=0, end=1, steps=2, keep=['backbone.layer1'])
    runner = Runner.from_cfg(plain(hook, videos, tmp_path, epochs=2, ema=False))
    said = []
    monkeypatch.setattr(runner.logger, 'info', lambda text, *more: said.append(str(text)))
    runner.train()
    (line,) = [text for text in said if text.startswith('left whole: ')]
    assert 'backbone.layer1' in line and line.endswith('(keep names it)')


def test_steps_are_spread_evenly():
    assert step_points(1, 1, 1) == [1] and step_points(0, 4, 3) == [0, 2, 4] and step_points(2, 5, 4) == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(begin=3, end=1, steps=2), '2 steps do not fit'),
        (dict(begin=1, end=2, steps=3), '3 steps do not fit'),
        (dict(begin=1, end=3), 'a single step has begin=end'),
        (dict(begin=-1), 'begin: got -1; expected a whole number'),
        (dict(target=dict(size=0.5)), 'target: got'),
        (dict(criterion='l1'), 'criterion: got'),
        (dict(target=None, criterion='taylor'), "got \\['criterion'\\] and no target"),
        (dict(target=None, end=3), 'got begin, end or steps and no target'),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        PruningHook(**{'target': dict(params=0.5), **settings})


def test_step_after_the_end_is_refused(videos, tmp_path, quiet):
    hook = dict(type='PruningHook', target=dict(params=0.5), begin=7)
    with pytest.raises(ValueError, match='PruningHook.end: got 7; expected less than the 1 epochs'):
        Runner.from_cfg(plain(hook, videos, tmp_path, epochs=1, ema=False)).train()


def test_checkpoint_pruned_otherwise_is_refused(videos, tmp_path, quiet):
    histories = []
    for fraction in (0.6, 0.7):
        model = build_model(zoo.config_of('tsm_mobilenet')[0])
        histories.append(prune(model, torch.randn(1, 8, 3, 32, 32), dict(params=fraction)).to_json())
    torch.save(dict(meta={}, state_dict=model.state_dict(), pruning=histories[1]), tmp_path / 'other.pth')
    model = dict(type='PrunedRecognizer', recognizer=zoo.config_of('tsm_mobilenet')[0], history=histories[0])
    config = config_for(videos, tmp_path, hook=dict(type='PruningHook'), model=model, epochs=1, ema=False)
    with pytest.raises(ValueError, match='do not begin with'):
        Runner.from_cfg(config).load_checkpoint(str(tmp_path / 'other.pth'))
