"""The configs of domain adaptation: which clips they see, and a step of each on rendered clips."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import MODELS
from mmkd_video.datasets import render_motion_clips
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.workflows.train.prepare import needed_parts

CONFIGS = sorted((Path(__file__).resolve().parents[2] / 'configs/transfer').glob('*.py'))
MOTION = [path for path in CONFIGS if path.stem.startswith('motion')]
REAL = [path for path in CONFIGS if path.stem.startswith('ut_interaction')]
TUNED = next(path for path in CONFIGS if path.stem == 'mobilenet_finetuned')
FEW = {'train': 8, 'val': 1, 'test': 1}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    render_motion_clips(root / 'data/motion_clips', num_clips=FEW)
    render_motion_clips(root / 'data/motion_target', num_clips=FEW, domain='target')
    return root


@pytest.mark.parametrize('path', MOTION, ids=lambda path: path.stem)
def test_a_step_sees_both_domains_and_every_term(path, folder, monkeypatch):
    monkeypatch.chdir(path.parents[2])
    config = Config.fromfile(path)
    config.model.teacher.checkpoint = None
    init_default_scope('mmaction')
    model = MODELS.build(config.model).train()
    monkeypatch.chdir(folder)
    loader = config.train_dataloader
    (views,) = loader.dataset.pipeline
    views.teacher = str(path.parents[2] / views.teacher)
    loader.update(num_workers=0, persistent_workers=False, batch_size=4)
    batch = next(iter(Runner.build_dataloader(loader, seed=0)))
    assert [sample.metainfo['domain'] for sample in batch['data_samples']] == [0, 0, 1, 1]
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    assert {f'loss_{name}' for name in model.training_state.terms} < set(losses)
    model.parse_losses(losses)[0].backward()


@pytest.mark.parametrize('path', [*MOTION, *REAL], ids=lambda path: path.stem)
def test_what_is_made_first_and_what_the_student_alone_sees(path):
    assert len(path.read_text().splitlines()) <= 30
    config = Config.fromfile(path)
    parts = [str(part) for part in needed_parts(config)]
    alone = plain_student(Config.fromfile(path)).train_dataloader.dataset
    if path in MOTION:
        assert parts[:2] == ['the embedded clips in data/motion_clips', 'the embedded clips in data/motion_target']
        assert config.test_dataloader.dataset.data_root == 'data/motion_target'
        assert config.val_dataloader.dataset.data_root == 'data/motion_clips'
    else:
        source, target = config.source, config.target
        assert {source, target} == {'set1.txt', 'set2.txt'} and target not in parts[0]
        assert config.train_dataloader.dataset.unlabelled == config.test_dataloader.dataset.ann_file == target
        options = config.prepare.teacher_options
        assert options.train_dataloader.dataset.ann_file == config.val_dataloader.dataset.ann_file == source
        assert source.removesuffix('.txt') in config.model.teacher.checkpoint
    assert alone.clips == 'labelled'


@pytest.mark.slow
def test_the_fine_tuning_trains_on_the_target_and_unfreezes_in_time(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    assert len(TUNED.read_text().splitlines()) <= 30
    config = Config.fromfile(TUNED)
    assert [str(part) for part in needed_parts(config)] == ['the embedded clips in data/motion_target']
    assert config.load_from == f'work_dirs/mobilenet_motion/epoch_{config.max_epochs}.pth'
    config.merge_from_dict(dict(load_from=None, work_dir=str(tmp_path), launcher='none'))
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        assert loader.dataset.data_root == 'data/motion_target'
        loader.update(num_workers=0, persistent_workers=False, batch_size=4)
    runner = Runner.from_cfg(config)
    runner.train()
    rates = sorted({group['initial_lr'] for group in runner.optim_wrapper.optimizer.param_groups})
    # the head's own factor, the lowest layer, ..., the last one
    assert [*rates[:2], rates[-1]] == pytest.approx([0.001, 0.01 * 0.8**9, 0.008])
    momenta = runner.optim_wrapper.optimizer.state_dict()['state']
    assert len(momenta) == len(list(runner.model.parameters()))  # all have been trained by the end
