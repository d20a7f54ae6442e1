"""Losses beside logits alone at one budget: what is run, what is counted, what is recorded."""

import pytest
import yaml
from mmengine.config import Config

from mmkd_video.cli import ablate
from mmkd_video.recognizers.budget import count_clips
from mmkd_video.workflows.compare import ablating
from mmkd_video.workflows.compare.ablating import run_all, shorten
from mmkd_video.workflows.compare.ablation import ALONE, Ablation

SCORES = {ALONE: [0.5, 0.7], 'kd': [0.6, 0.7], 'mars': [0.7, 0.6]}


def measured() -> Ablation:
    return Ablation('python tools/ablate.py mars.py', 'kd', 5, 640, 'acc/top1', [0, 1], SCORES)


def scheduled() -> Config:
    schedulers = [
        dict(type='LinearLR', begin=0, end=1, by_epoch=True),
        dict(type='CosineAnnealingLR', begin=1, end=12, T_max=11, by_epoch=True),
    ]
    return Config(dict(train_cfg=dict(max_epochs=12, val_begin=1, val_interval=4), param_scheduler=schedulers))


def test_gains_are_seed_by_seed_and_losses_are_shown():
    table = measured().table(['mars']).splitlines()
    assert table[0] == '|  | seed 0 | seed 1 | acc/top1 on test | - kd |'
    assert table[2] == '| student alone | 50.00 | 70.00 | 60.00 ± 14.14 |  |'
    assert table[4] == '| mars | 70.00 | 60.00 | 65.00 ± 7.07 | +0.00 ± 14.14 |'
    assert measured().names == ['mars']


def test_budget_is_stated():
    assert measured().budget().startswith('5 epochs of 640 clips')
    assert 'over 2 seeds' in measured().budget()
    alone = Ablation('', 'kd', 5, 640, 'acc/top1', [0], {ALONE: [0.5], 'kd': [0.5]})
    assert 'one seed' in alone.budget() and '±' not in alone.table([])


def test_a_shorter_training_ends_with_its_learning_rate():
    config = scheduled()
    shorten(config, 5)
    assert config.train_cfg.max_epochs == 5 and config.train_cfg.val_begin > 5
    assert [(each.begin, each.end) for each in config.param_scheduler] == [(0, 1), (1, 5)]
    assert config.param_scheduler[1].T_max == 4


def test_iterations_and_no_epochs_are_refused():
    config = Config(dict(train_cfg=dict(type='IterBasedTrainLoop', max_iters=10)))
    with pytest.raises(ValueError, match='expected epochs'):
        shorten(config, 5)
    with pytest.raises(ValueError, match='at least 1'):
        shorten(scheduled(), 0)


def test_every_config_is_run_once_for_a_seed_before_the_next_seed(tiny, monkeypatch, tmp_path):
    runs = []

    class Finished:
        def __init__(self, path, config):
            runs.append((path.parent.name, path.name, config.model.type, config.randomness['seed'], config.prepare))

        def result(self):
            return dict(metrics={'acc/top1': len(runs) / 10})

    monkeypatch.setattr(ablating, 'RunFolder', Finished)
    config = Config.fromfile(tiny.distill)
    scores = run_all(dict(kd=config, mars=config), [0, 3], tmp_path, 'acc/top1')
    assert scores == {ALONE: [0.1, 0.4], 'kd': [0.2, 0.5], 'mars': [0.3, 0.6]}
    assert runs[0] == ('student_alone', 'seed0', 'Recognizer2D', 0, None)
    assert runs[-1] == ('mars', 'seed3', 'Distiller', 3, None)
    with pytest.raises(ValueError, match="got 'f1'; the test measures acc/top1"):
        run_all(dict(kd=config), [0], tmp_path, 'f1')


def test_clips_are_counted(tiny):
    assert count_clips(Config.fromfile(tiny.distill).train_dataloader.dataset) == 8


def test_plain_config_is_refused(tiny, capsys):
    with pytest.raises(SystemExit):
        ablate.main([str(tiny.student), '--baseline', str(tiny.distill)])
    assert "expected 'Distiller'" in capsys.readouterr().err


@pytest.mark.slow
def test_ablation_ends_with_a_table_and_its_numbers(tiny):
    (tiny.folder / 'more.py').write_text(
        "_base_ = 'distill.py'\nmodel = dict(terms=[dict(type='DISTLoss', at='logits')])\n"
    )
    arguments = [
        'ablate.py',
        'more.py',
        '--baseline',
        'distill.py',
        '--epochs',
        1,
        '--seeds',
        0,
    ]
    said = tiny.run(*arguments).stdout
    saved = yaml.safe_load((tiny.folder / 'work_dirs' / 'ablation' / 'ablation.yml').read_text())
    assert saved['clips'] == 8 and saved['command'].endswith('--epochs 1 --seeds 0')
    assert list(saved['scores']) == [ALONE, 'distill', 'more']
    assert Ablation.from_dict(saved).table(['more']) in said
    assert 'Epoch' not in tiny.run(*arguments).stdout
