"""What is made before a distillation, where a host's environment or a folder holds surprises."""

import pytest
from mmengine.config import Config

from mmkd_video.cli import prepare as prepare_module
from mmkd_video.cli.prepare import own_rank, prepare


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
    config.launcher, config.prepare.timeout = 'none', 0
    prepare(config)
    assert [part.checkpoint for part in made] == [tiny.checkpoint]
