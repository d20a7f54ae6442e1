"""What is made before a distillation, where a host's environment or a folder holds surprises."""

import pytest
import torch
from mmengine.config import Config
from tiny_experiment import ROOT

from mmkd_video.compat import safe_load
from mmkd_video.workflows.train import prepare as prepare_module
from mmkd_video.workflows.train.prepare import (
    merge_teacher_options,
    needed_parts,
    own_rank,
    prepare,
    publish,
    teacher_settings,
)


@pytest.mark.parametrize('launcher, rank', [('none', 0), ('pytorch', 1), ('slurm', 2), ('mpi', 3)])
def test_rank_is_read_where_the_launcher_writes_it(monkeypatch, launcher, rank):
    for value, name in enumerate(('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'), start=1):
        monkeypatch.setenv(name, str(value))
    assert own_rank(launcher) == rank


def test_nobody_waits_for_a_rank_0_that_no_launcher_has_started(tiny, monkeypatch):
    monkeypatch.setenv('RANK', '1')
    made = []
    monkeypatch.setattr(prepare_module.TrainedTeacher, 'make', lambda part: made.append(part))
    config = Config.fromfile(tiny.distill)
    config.launcher, config.prepare.timeout = 'none', 1e-9
    prepare(config)
    assert [part.checkpoint for part in made] == [tiny.checkpoint]


def publish_teacher(tiny, **options):
    """Publish a checkpoint as ``tools/train.py`` does after it has trained the teacher with these options."""
    config = Config.fromfile(tiny.teacher)
    config.merge_from_dict({'train_cfg.max_epochs': 1, **options})
    torch.save(dict(meta=dict(epoch=1), state_dict={}), tiny.folder / 'epoch_1.pth')
    (tiny.folder / 'last_checkpoint').write_text('epoch_1.pth')
    publish(tiny.folder, tiny.checkpoint, teacher_settings(config))


def test_teacher_of_other_data_is_not_taken_silently(tiny):
    publish_teacher(tiny, **{'train_dataloader.dataset.ann_file': 'others.txt'})
    config = Config.fromfile(tiny.distill)
    with pytest.raises(ValueError, match='tiny.pth was trained with other settings') as refused:
        prepare(config)
    mine = str(tiny.root / 'train.txt')
    assert f"  train_dataloader.dataset.ann_file: got {mine!r}, expected 'others.txt'\n" in str(refused.value)
    assert 'another name' in str(refused.value) and 'prepare.teacher=None' in str(refused.value)
    config.merge_from_dict({'prepare.teacher': None})
    prepare(config)
    assert config.model.teacher.config.train_cfg.max_epochs == 1  # its options say how it is built all the same


def test_teacher_trained_for_another_time_is_not_taken_silently(tiny):
    publish_teacher(tiny, **{'train_cfg.max_epochs': 9})
    with pytest.raises(ValueError, match='train_cfg.max_epochs: got 1, expected 9'):
        prepare(Config.fromfile(tiny.distill))


def test_teacher_of_the_same_settings_is_taken(tiny):
    publish_teacher(tiny, work_dir='elsewhere', **{'randomness.seed': 3, 'train_dataloader.num_workers': 4})
    prepare(Config.fromfile(tiny.distill), allowed=False)


def test_teacher_of_others_is_taken_as_it_is(tiny):
    tiny.checkpoint.parent.mkdir()
    for content in (dict(state_dict={}), dict(meta=dict(epoch=1), state_dict={}), {'backbone.weight': torch.ones(1)}):
        torch.save(content, tiny.checkpoint)
        prepare(Config.fromfile(tiny.distill), allowed=False)


@pytest.mark.slow
def test_teacher_training_goes_on_from_damaged_files(tiny, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    tiny.distill.write_text(tiny.distill.read_text().replace('max_epochs=1', 'max_epochs=2'))
    _, teacher = needed_parts(Config.fromfile(tiny.distill))
    teacher.make()
    teacher.check()
    tiny.checkpoint.unlink()
    newest = teacher.work_dir / 'epoch_2.pth'
    newest.write_bytes(newest.read_bytes()[:1000])
    (teacher.work_dir / 'last_checkpoint').write_text('')  # as MMEngine leaves it when it is killed while it writes
    teacher.make()
    log = max(teacher.work_dir.glob('2*/*.log')).read_text()
    assert f'Resuming from {teacher.work_dir / "epoch_1.pth"}' in log and 'AtomicCheckpointHook' in log
    assert safe_load.load(tiny.checkpoint)['meta']['iter'] == 4


def test_a_model_without_a_teacher_needs_none(tiny):
    config = Config.fromfile(tiny.distill)
    config.model.teacher = None
    assert [type(part).__name__ for part in needed_parts(config)] == ['Clips']
    merge_teacher_options(config)
