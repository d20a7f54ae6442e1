"""What learned losses keep of earlier clips, in a real training that stops and goes on."""

import clips
import pytest
import torch
import zoo
from mmengine.config import Config
from mmengine.runner import Runner

import mmkd_video  # noqa: F401

TERMS = {
    'crd': dict(type='CRDLoss', at='pooled', num_samples=6, dim=8, num_negatives=4),
    'mds': dict(type='MDSLoss', at='pooled', queue_size=5),
}
HOOKS = [dict(type='DistillHook'), dict(type='ReproducibleHook')]


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=6)


def train(videos, work_dir, name, epochs, hooks=HOOKS, terms=TERMS, **extra):
    student, size = zoo.config_of('tsm_mobilenet')
    teacher, teacher_size = zoo.config_of('i3d')
    model = dict(
        type='Distiller',
        student=student,
        teacher=dict(config=teacher, checkpoint=None),
        terms=list(terms.values()),
        input_size=dict(student=size, teacher=teacher_size),
    )
    config = clips.runner_config(
        videos,
        work_dir,
        model,
        epochs=epochs,
        custom_hooks=hooks,
        experiment_name=f'{work_dir.parent.name}-{name}',
        **extra,
    )
    config['param_scheduler'] = [dict(type='ConstantLR', factor=1.0)]  # whatever the number of epochs
    runner = Runner.from_cfg(Config(config))
    runner.train()
    return runner


@pytest.mark.slow
def test_banks_and_queues_of_a_resumed_training_are_those_of_the_whole_one(videos, tmp_path):
    whole = train(videos, tmp_path / 'whole', 'whole', 2)
    train(videos, tmp_path / 'halves', 'half', 1)
    resumed = train(videos, tmp_path / 'halves', 'resumed', 2, resume=True)
    expected, found = (runner.model.training_state_dict() for runner in (whole, resumed))
    assert list(found) == list(expected)
    assert {'terms.crd.loss.teacher_bank', 'terms.mds.loss.queue.student'} <= set(found)
    for key, value in expected.items():
        assert torch.equal(found[key], value), key
    for key, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], value), key
    assert expected['terms.mds.loss.queue.filled'] == 5


def test_every_clip_moves_its_own_row_of_the_bank(videos, tmp_path):
    runner = train(videos, tmp_path / 'run', 'run', 1, terms=dict(crd=TERMS['crd']))
    bank = runner.model.training_state.terms['crd'].loss.teacher_bank
    assert torch.allclose(bank.norm(dim=1), torch.ones(6))  # rows that were never written to are not of length 1


def test_without_numbered_samples_the_hook_is_named(videos, tmp_path):
    with pytest.raises(ValueError, match=r"CRDLoss needs \['indices'\].*add dict\(type='ReproducibleHook'\)"):
        train(videos, tmp_path / 'run', 'bare', 1, hooks=[dict(type='DistillHook')], terms=dict(crd=TERMS['crd']))
