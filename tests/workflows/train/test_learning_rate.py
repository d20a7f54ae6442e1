"""The learning rate is chosen on validation, once."""

import json

import pytest
from mmengine.config import Config

from mmkd_video.workflows.train import learning_rate
from mmkd_video.workflows.train.learning_rate import RateTrials, choose, prepare_rate, rate_trials, set_rate
from mmkd_video.workflows.train.prepare import needed_parts


@pytest.fixture
def config(tmp_path):
    (tmp_path / 'val.txt').write_text('a.mp4 0\n' * 100)
    return Config(
        dict(
            model=dict(type='Recognizer2D'),
            work_dir=str(tmp_path / 'run'),
            prepare=dict(rates=[0.3, 3.0]),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=31),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.02)),
            val_dataloader=dict(dataset=dict(ann_file=str(tmp_path / 'val.txt'))),
        )
    )


@pytest.fixture
def runs(monkeypatch):
    """Trials that reach what a table says for their rate, in no time."""
    started, reached = [], {0.006: 0.5, 0.02: 0.5, 0.06: 0.8}

    class Fake:
        def __init__(self, path, config, splits):
            assert splits == ('val',)
            self.config = config

        def result(self):
            started.append(self.config)
            return dict(val={'acc/top1': reached[round(self.config.optim_wrapper.optimizer.lr, 4)]}, seconds=1.0)

    monkeypatch.setattr(learning_rate, 'RunFolder', Fake)
    return started


@pytest.mark.parametrize(
    ('scores', 'chosen'),
    [
        ({0.3: 0.5, 1.0: 0.5, 3.0: 0.5}, 1.0),
        ({0.3: 0.54, 1.0: 0.5, 3.0: 0.2}, 1.0),  # within a standard error of 100 clips
        ({0.3: 0.6, 1.0: 0.5, 3.0: 0.7}, 3.0),
        ({0.1: 0.7, 0.5: 0.7, 1.0: 0.5}, 0.5),
    ],
)
def test_another_rate_must_be_clearly_better(scores, chosen):
    assert choose(scores, 100) == chosen


def test_trials_are_short_and_the_choice_is_kept(config, runs):
    prepare_rate(config)
    assert [each.train_cfg.max_epochs for each in runs] == [7, 7, 7]
    assert all(each.prepare is None and each.train_cfg.val_interval == 8 for each in runs)
    assert config.optim_wrapper.optimizer.lr == pytest.approx(0.06)
    note = json.loads(RateTrials(config, (0.3, 3.0)).note.read_text())
    assert len(note.pop('training')) == 64
    assert note == dict(rate=0.02, factors=[0.3, 1.0, 3.0], chosen=3.0, scores=[0.5, 0.5, 0.8])


def test_the_same_command_takes_the_choice_and_another_rate_asks_again(config, runs):
    before = Config(config.to_dict())
    prepare_rate(config)
    again = Config(before.to_dict())
    prepare_rate(again)
    assert len(runs) == 3 and again.optim_wrapper.optimizer.lr == pytest.approx(0.06)
    before.optim_wrapper.optimizer.lr = 0.2
    assert not rate_trials(before).exists()


def test_what_is_taken_is_told(config, runs, caplog, capsys):
    prepare_rate(config)
    said = caplog.text + ''.join(capsys.readouterr())
    assert 'learning rate 0.06, chosen on validation (the config has 0.02)' in said


def test_another_training_asks_again(config, runs):
    before = Config(config.to_dict())
    prepare_rate(config)
    before.optim_wrapper.optimizer.type = 'AdamW'
    assert not rate_trials(before).exists()


@pytest.mark.parametrize(('diverges', 'chosen'), [(0.06, 1.0), (0.006, 3.0)])
def test_a_rate_whose_trial_fails_is_not_taken(config, runs, monkeypatch, diverges, chosen):
    result = learning_rate.RunFolder.result

    def failing(self):
        if round(self.config.optim_wrapper.optimizer.lr, 4) == diverges:
            raise RuntimeError('the run failed (exit code 1)')
        return result(self)

    monkeypatch.setattr(learning_rate.RunFolder, 'result', failing)
    trials = rate_trials(Config(config.to_dict()))
    prepare_rate(config)
    assert trials.chosen() == chosen


def test_the_configs_own_rate_must_not_fail(config, runs, monkeypatch):
    def failing(self):
        raise RuntimeError('the run failed (exit code 1)')

    monkeypatch.setattr(learning_rate.RunFolder, 'result', failing)
    with pytest.raises(RuntimeError, match='exit code 1'):
        prepare_rate(config)


def test_without_preparing_the_configs_own_rate_is_taken(config, runs):
    prepare_rate(config, allowed=False)
    assert not runs and config.optim_wrapper.optimizer.lr == 0.02
    set_rate(config, rate_trials(config))
    assert config.optim_wrapper.optimizer.lr == 0.02


def test_nothing_is_tried_where_nothing_is_asked_for(config):
    config.prepare = dict()
    assert rate_trials(config) is None


def test_mistakes_are_named(config):
    config.val_dataloader = None
    with pytest.raises(ValueError, match='no val_dataloader'):
        prepare_rate(config)
    config.val_dataloader = dict(dataset=dict(ann_file='x.txt'))
    del config.optim_wrapper.optimizer['lr']
    with pytest.raises(ValueError, match='optim_wrapper.optimizer has no lr to begin from'):
        prepare_rate(config)
    with pytest.raises(ValueError, match=r'prepare.rates: got \[0\]; expected a list, each a number above 0'):
        needed_parts(Config(dict(prepare=dict(rates=[0]))))
