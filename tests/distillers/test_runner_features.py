"""What MMEngine's runner offers goes on working around a distiller."""

import clips
import pytest
import torch
import zoo
from mmengine.config import Config
from mmengine.runner import Runner

import mmkd_video  # noqa: F401

KD = dict(type='KDLoss', at='logits', weight=dict(type='Linear', value=0.9, start_factor=0.1, end=2))
MAP = dict(type='FitNetLoss', at=('backbone.layer4', 'backbone.layer4'))
STAGE = dict(type='ATLoss', at=('backbone.layer3', 'backbone.layer3'))

FEATURES = {
    'amp': dict(optim_wrapper=dict(type='AmpOptimWrapper', dtype='bfloat16', optimizer=dict(type='AdamW', lr=1e-3))),
    'accumulation': dict(optim_wrapper=dict(accumulative_counts=2, optimizer=dict(type='AdamW', lr=1e-3))),
    'checkpointing': dict(activation_checkpointing=['backbone.layer3']),
    'compile': dict(compile=dict(backend='eager')),
    'iterations': dict(
        train_cfg=dict(_delete_=True, type='IterBasedTrainLoop', max_iters=4, val_interval=4),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=4, by_epoch=False)),
        log_processor=dict(by_epoch=False),
        param_scheduler=[dict(type='CosineAnnealingLR', T_max=4, by_epoch=False)],
    ),
}


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=6)


def train(videos, work_dir, name, **extra):
    student, size = zoo.config_of('tsm_mobilenet')
    teacher, teacher_size = zoo.config_of('i3d')
    model = dict(
        type='Distiller',
        student=student,
        teacher=dict(config=teacher, checkpoint=None),
        terms=[KD, MAP, STAGE],
        input_size=dict(student=size, teacher=teacher_size),
    )
    config = clips.runner_config(videos, work_dir / name, model, experiment_name=f'{work_dir.name}-{name}')
    config = Config(config)
    config.merge_from_dict(extra)
    runner = Runner.from_cfg(config)
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    runner.train()
    return runner, before


@pytest.mark.parametrize(
    'feature', [pytest.param(name, marks=pytest.mark.slow) if name == 'compile' else name for name in FEATURES]
)
def test_training_with(feature, videos, tmp_path):
    runner, before = train(videos, tmp_path, feature, **FEATURES[feature])
    after = runner.model.state_dict()
    assert list(after) == list(before)
    moved = [key for key in before if before[key].is_floating_point() and not torch.equal(before[key], after[key])]
    assert 'backbone.conv1.conv.weight' in moved and 'cls_head.fc_cls.weight' in moved
    assert all(torch.isfinite(value).all() for value in after.values())
    assert all(p.dtype == torch.float32 for p in runner.model.parameters())


@pytest.mark.slow
def test_activation_checkpointing_changes_no_gradient(videos, tmp_path):
    plain, _ = train(videos, tmp_path, 'plain')
    checkpointed, _ = train(videos, tmp_path, 'again', **FEATURES['checkpointing'])
    for (name, ours), theirs in zip(checkpointed.model.named_parameters(), plain.model.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5), name
