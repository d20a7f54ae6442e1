"""Terms that end when nothing improves any more: in real trainings, and resumed."""

import json
from types import SimpleNamespace

import clips
import pytest
import tiny
import torch
from mmengine.hooks import Hook

from mmkd_video.compat import safe_load
from mmkd_video.hooks import TermStopHook
from mmkd_video.hooks.term_stop_hook import KEY

REST = dict(optim_wrapper=dict(optimizer=dict(lr=0.0)))  # nothing can improve by a tenth


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=4)


class Metrics(Hook):
    """Gives each validation a metric from a list, by its epoch."""

    priority = 'HIGHEST'

    def __init__(self, values):
        self.values, self.seen = values, []

    def after_val_epoch(self, runner, metrics):
        self.seen.append(runner.epoch)
        metrics['fake'] = self.values[runner.epoch - 1]


def build(videos, work_dir, name, hook, metrics=None, epochs=4, **extra):
    runner = tiny.runner(
        videos,
        work_dir,
        name,
        hooks=[dict(type='TermStopHook', **hook)],
        train_cfg=dict(max_epochs=epochs),
        **REST,
        **extra,
    )
    if metrics is not None:
        runner.register_hook(Metrics(metrics))
    return runner


def the_hook(runner):
    return next(each for each in runner.hooks if isinstance(each, TermStopHook))


def ends(runner):
    return {name: term.end for name, term in runner.model.training_state.terms.items()}


def test_a_term_whose_loss_has_stalled_ends_and_the_other_goes_on(videos, tmp_path, capsys):
    runner = build(videos, tmp_path, 'raw', dict(patience=2, terms=['fitnet'], min_gain=0.9))
    runner.train()
    # the first epoch is the best; the second and the third are no better by nine tenths
    assert ends(runner) == dict(kd=None, fitnet=3)
    rows = [json.loads(line) for path in tmp_path.glob('*/vis_data/scalars.json') for line in path.open()]
    losses = [row['loss_fitnet'] for row in rows if 'loss_fitnet' in row]
    assert all(losses[:-2]) and losses[-2:] == [0.0, 0.0]  # two steps an epoch, the fourth of four rests
    assert all(row['loss_kd'] for row in rows if 'loss_kd' in row)
    assert "term 'fitnet' ends after epoch 3: its raw loss" in ''.join(capsys.readouterr())


def test_a_metric_that_stalls_ends_all_terms(videos, tmp_path):
    runner = build(videos, tmp_path, 'metric', dict(patience=1, monitor='fake'), [0.1, 0.2, 0.2, 0.3])
    runner.train()
    assert ends(runner) == dict(kd=3, fitnet=3)
    runner = build(videos, tmp_path / 'less', 'less', dict(patience=1, monitor='fake', rule='less'), [3, 2, 1, 0.5])
    runner.train()
    assert ends(runner) == dict(kd=None, fitnet=None)


@pytest.mark.slow
@pytest.mark.parametrize('monitor', ['raw', 'fake'])
def test_a_resumed_training_ends_its_terms_as_if_nothing_had_happened(videos, tmp_path, monitor):
    settings = dict(patience=2, monitor=monitor, min_gain=0.9)
    metrics = [0.3, 0.3, 0.3, 0.3]
    whole = build(videos, tmp_path / 'whole', 'whole', settings, metrics)
    whole.train()
    assert ends(whole) == dict(kd=3, fitnet=3)
    first = build(videos, tmp_path / 'cut', 'first', settings, metrics, epochs=2)
    first.train()
    cut = tmp_path / 'cut' / 'epoch_2.pth'
    assert json.loads(safe_load.load(cut)[KEY])['terms']['kd']['end'] is None
    again = build(videos, tmp_path / 'cut', 'again', settings, metrics, resume=True, load_from=str(cut))
    again.train()
    assert ends(again) == ends(whole) and the_hook(again)._judged == the_hook(whole)._judged
    if monitor == 'fake':  # the checkpoint of epoch 2 was written before its validation
        assert next(each for each in again.hooks if isinstance(each, Metrics)).seen == [2, 3, 4]


def test_terms_that_pruning_builds_anew_stay_ended():
    term = SimpleNamespace(end=None, acting=True)
    runner = SimpleNamespace(model=torch.nn.Module())
    runner.model.training_state = SimpleNamespace(terms=dict(kd=term))
    hook = TermStopHook()
    hook.before_run(runner)
    hook._judged['kd']['end'] = 3
    hook.before_train_iter(runner, 0)
    assert term.end == 3
    term.end = 2  # as its own config says
    hook.before_train_iter(runner, 0)
    assert term.end == 2


def test_a_damaged_state_is_refused(videos, tmp_path):
    runner = build(videos, tmp_path, 'damaged', {})
    hook = the_hook(runner)
    hook.before_run(runner)
    runner._resume = True
    for text, message in [
        ('{}', "the key 'terms' is missing"),
        ('{"terms": {"kd": {"best": "x", "stalled": 0, "end": null, "sum": 0}}, "steps": 0, "seen": 0}', 'best'),
        ('{"terms": {}, "steps": 0, "seen": 0}', r"counts for \[\] and this config for \['fitnet', 'kd'\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            hook.after_load_checkpoint(runner, {KEY: text})


def test_mistakes_are_named(videos, tmp_path):
    with pytest.raises(KeyError, match="TermStopHook.terms: got 'fitnt'; expected names of kd, fitnet.*'fitnet'"):
        build(videos, tmp_path, 'typo', dict(terms=['fitnt'])).train()
    with pytest.raises(KeyError, match="TermStopHook.monitor: got 'acc/top9', which this validation does not report"):
        build(videos, tmp_path / 'metric', 'top9', dict(monitor='acc/top9'), epochs=1).train()
    plain = SimpleNamespace(model=torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match='TermStopHook: got a model without terms; expected a Distiller'):
        TermStopHook().before_run(plain)
