"""SimKD through MMEngine's runner: trained with a teacher, validated with the student's own config without one."""

import clips
import pytest
import torch
import zoo
from mmengine.config import Config
from mmengine.runner import Runner

import mmkd_video  # noqa: F401

pytestmark = pytest.mark.slow


def run(videos, work_dir, model, **extra) -> Runner:
    config = clips.runner_config(videos, work_dir, model, epochs=1, experiment_name=str(work_dir), **extra)
    return Runner.from_cfg(Config(config))


def test_the_trained_checkpoint_is_complete(tmp_path) -> None:
    videos = clips.make_set(tmp_path / 'videos', count=4)
    student, size = zoo.config_of('tsm_mobilenet')
    student['cls_head'] = dict(
        type='SimKDHead', num_classes=student['cls_head']['num_classes'], in_channels=1280, teacher_channels=64,
        num_segments=8, average_clips='prob',
    )  # fmt: skip
    teacher, teacher_size = zoo.config_of('i3d')
    model = dict(
        type='Distiller',
        student=student,
        teacher=dict(config=teacher, checkpoint=None),
        terms=[dict(type='FitNetLoss', at=('cls_head.projector', 'backbone.layer4'), name='simkd')],
        task_weight=0.0,
        input_size=dict(student=size, teacher=teacher_size),
    )
    training = run(videos, tmp_path / 'trained', model)
    training.train()
    theirs = training.model.teachers['teacher'].module.cls_head.fc_cls
    plain = run(
        videos, tmp_path / 'plain', student, load_from=str(tmp_path / 'trained' / 'epoch_1.pth'), custom_hooks=[]
    )
    scores = plain.val()
    assert torch.equal(plain.model.cls_head.fc_cls.weight, theirs.weight)
    trained = training.model.state_dict()
    assert all(torch.equal(value, trained[key]) for key, value in plain.model.state_dict().items())
    assert scores == training.val_loop.run()
