"""A search in real trainings: numbers that are set, decisions that are resumed."""

import json
from types import SimpleNamespace

import clips
import pytest
import tiny
import torch
from mmengine.hooks import Hook

from mmkd_video.compat import safe_load
from mmkd_video.hooks import AnnealingHook
from mmkd_video.hooks.annealing_hook import KEY
from mmkd_video.recognizers.plain_student import TEACHER_HOOKS
from mmkd_video.schedules import Progress, Scalar

SCORES = [0.1, 0.2, 0.5, 0.6, 0.6, 0.7]
TERM = dict(type='KDLoss', at='logits', weight=0.5, temperature=dict(type='Linear', value=4.0, start_factor=1.0))


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=4)


class Agreement(Hook):
    """Gives each validation an agreement from a list, by its epoch."""

    priority = 'HIGHEST'

    def __init__(self, scores, seen):
        self.scores, self.seen = scores, seen

    def after_val_epoch(self, runner, metrics):
        metrics['agreement/top1'] = self.scores[runner.epoch - 1]


class Metrics(Hook):
    """Keeps the metrics of each validation."""

    def __init__(self, seen):
        self.seen = seen

    def after_val_epoch(self, runner, metrics):
        self.seen.append(dict(metrics))


def build(videos, work_dir, name, epochs=5, model=None, **extra):
    hooks = [extra.pop('hook', dict(type='AnnealingHook', numbers=['kd.weight', 'kd.temperature'], steps=2))]
    model = model or tiny.distiller(terms=[TERM])
    cfg = dict(train_cfg=dict(max_epochs=epochs), randomness=dict(seed=0))
    runner = tiny.runner(videos, work_dir, name, model, **cfg, **extra)
    seen = []
    runner.register_hook(Agreement(SCORES, seen), priority='HIGHEST')
    for hook in hooks:
        runner.register_hook(hook)
    runner.register_hook(Metrics(seen), priority='LOW')
    return runner, seen


def the_hook(runner):
    return next(each for each in runner.hooks if isinstance(each, AnnealingHook))


def test_a_training_tries_keeps_logs_and_reports(videos, tmp_path, capsys):
    runner, seen = build(videos, tmp_path, 'whole')
    runner.train()
    chain = the_hook(runner).chain
    assert [trial.accepted for trial in chain.trials][0] is True  # it gained 0.3 after 0.1
    first = chain.trials[0].factors
    assert [metrics['annealing/kd.weight'] for metrics in seen[:3]] == [1.0, 1.0, pytest.approx(first['kd.weight'])]
    rows = [json.loads(line) for path in tmp_path.glob('*/vis_data/scalars.json') for line in path.open()]
    weights = [row['loss_kd'] / row['kd_raw'] for row in rows if 'loss_kd' in row]
    assert weights[:4] == pytest.approx([0.5] * 4, rel=1e-3)  # two steps an epoch
    assert weights[4:6] == pytest.approx([0.5 * first['kd.weight']] * 2, rel=1e-3)
    assert any('annealing/kd.temperature' in row for row in rows)
    said = ''.join(capsys.readouterr())
    assert 'annealing step 1 of 2: kd.weight x' in said and 'annealing: 2 of 2 steps; kept kd.weight x' in said
    term = runner.model.training_state.terms['kd']
    assert term.loss.temperature.item() == pytest.approx(4.0 * chain.trials[1].factors['kd.temperature'], rel=1e-5)


@pytest.mark.slow
def test_a_resumed_training_decides_as_the_whole(videos, tmp_path):
    whole, _ = build(videos, tmp_path / 'whole', 'whole')
    whole.train()
    for cut in (1, 2, 3):  # before a proposal, while one holds, after a decision
        path = tmp_path / 'whole' / f'epoch_{cut}.pth'
        assert json.loads(safe_load.load(path)[KEY])['seen'] == cut - 1  # written before the validation of its epoch
        again, _ = build(videos, tmp_path / f'cut{cut}', f'again{cut}', resume=True, load_from=str(path))
        again.train()
        assert the_hook(again).chain.state() == the_hook(whole).chain.state()
        states = [each.model.state_dict() for each in (again, whole)]
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_numbers_are_scaled_from_what_the_config_says():
    model = tiny.build(terms=[dict(type='KDLoss', at='logits', weight=0.5, temperature=4.0)])
    term = model.training_state.terms['kd']
    for factor in (2.0, 3.0):
        term.rescale('weight', factor)
        term.rescale('temperature', factor)
        assert (term.weight.fixed, term.loss.temperature) == (0.5 * factor, 4.0 * factor)
    scalar = Scalar(dict(type='Linear', value=1.0, start_factor=0.5, end_factor=1.0, end=3), 'weight')
    scalar.rescale(10.0)
    scalar.move(Progress(0, 0, 1, 3))
    assert scalar.read(torch.zeros(())).item() == 5.0


@pytest.mark.parametrize(
    ('numbers', 'weight', 'error', 'message'),
    [
        (['kdd.weight'], 1.0, KeyError, "got 'kdd.weight'; expected <term>.weight.*did you mean 'kd'"),
        (
            ['kd.temprature'],
            1.0,
            KeyError,
            r"'kd'.temprature: got no number of this name; .*temperature",
        ),
        (['kd.weight'], dict(type='Balanced'), ValueError, "'kd'.weight: it is learned or computed in each step"),
    ],
)
def test_mistakes_are_named(numbers, weight, error, message):
    model = tiny.build(terms=[dict(type='KDLoss', at='logits', weight=weight)])
    with pytest.raises(error, match=message):
        AnnealingHook(numbers).before_run(SimpleNamespace(model=model))


def test_what_is_not_reported_and_what_is_of_others_is_told(videos, tmp_path):
    hook = dict(type='AnnealingHook', numbers=['kd.weight'], monitor='acc/top9')
    with pytest.raises(KeyError, match='AnnealingHook.monitor: got .acc/top9., which this validation does not report'):
        build(videos, tmp_path, 'top9', epochs=1, hook=hook)[0].train()
    hook, runner = AnnealingHook(['kd.weight']), SimpleNamespace(_resume=True)
    state = AnnealingHook(['fitnet.weight']).chain.state()
    with pytest.raises(ValueError, match=r"searches for \['fitnet.weight'\] and this config for \['kd.weight'\]"):
        hook.after_load_checkpoint(runner, {KEY: json.dumps(state)})
    with pytest.raises(ValueError, match='AnnealingHook: got a model without terms'):
        hook.before_run(SimpleNamespace(model=torch.nn.Linear(1, 1)))
    assert 'AnnealingHook' in TEACHER_HOOKS
