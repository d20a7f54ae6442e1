"""A teacher that sees RGB, flow and another camera teaches a student that sees RGB, from real videos."""

import copy
import shutil
from pathlib import Path

import clips
import multi_view_models as small
import pytest
import tiny
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmkd_video.core.registry import MODELS
from mmkd_video.teachers import FrozenTeacher
from mmkd_video.workflows.compare.folds import fold_config

ROOT = Path(__file__).resolve().parents[2]
VIEWS = dict(rgb={}, flow=dict(derive=[dict(type='RGBToFlow')]), other=dict(replace=('/front/', '/side/')))
MODEL = small.config_of(
    views=dict(rgb=small.STREAM, flow=dict(small.STREAM, in_channels=2), other='rgb'),
    norms=dict(rgb=small.RGB, flow=small.FLOW, other='rgb'),
    view_dropout=0.2,
)
MODEL['cls_head']['init_std'] = 0.01
EPOCHS = 2
OTHER = 1  # its place: views are in the order of their names


def several(train=True):
    return [dict(type='MultiView', pipeline=clips.pipeline(train=train, layout='NCTHW'), views=VIEWS)]


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Clips of two cameras; the second one lacks every third."""
    root = clips.make_set(tmp_path_factory.mktemp('cameras') / 'front', count=6)
    shutil.copytree(root, root.parent / 'side')
    for place in (0, 3):
        (root.parent / 'side' / f'{place}.mp4').unlink()
    return root


def runner_of(videos, work_dir, name, model, train, val, **extra):
    config = Config(
        clips.runner_config(
            videos,
            work_dir,
            model,
            train,
            epochs=EPOCHS,
            experiment_name=f'{work_dir.name}-{name}',
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.02, momentum=0.9)),
            param_scheduler=[dict(type='ConstantLR', factor=1.0)],  # whatever the number of epochs
        )
    )
    config.val_dataloader.dataset.pipeline = val
    config.merge_from_dict(extra)
    return Runner.from_cfg(config)


@pytest.fixture(scope='module')
def teacher(videos, tmp_path_factory):
    """A trained teacher: the path of its config, and its checkpoint."""
    init_default_scope('mmaction')
    work_dir = tmp_path_factory.mktemp('teacher')
    hooks = [dict(type='ReproducibleHook')]
    runner = runner_of(videos, work_dir, 'teacher', MODEL, several(), several(False), custom_hooks=hooks)
    before = copy.deepcopy(runner.model.state_dict())
    runner.train()
    after = runner.model.state_dict()
    assert all(not torch.equal(before[key], after[key]) for key in before if key.endswith('conv1.conv.weight'))
    runner.cfg.dump(work_dir / 'config.py')
    return str(work_dir / 'config.py'), work_dir / f'epoch_{EPOCHS}.pth'


def distill(videos, work_dir, teacher, name='distill', **extra):
    config, checkpoint = teacher
    model = dict(
        type='Distiller',
        student=tiny.recognizer(),
        teacher=dict(config=config, checkpoint=str(checkpoint)),
        terms=[
            dict(type='KDLoss', at='logits'),
            dict(type='MARSLoss', at='pooled', weight=1.0),
            dict(type='FitNetLoss', at=('backbone.layer1', 'neck'), weight=1.0),
        ],
    )
    student = clips.pipeline(layout='NCTHW')
    views = [dict(type='DistillViews', student=student, teacher=config)]
    hooks = [dict(type=kind) for kind in ('DistillHook', 'ReproducibleHook', 'TeacherPredictionsHook')]
    val = clips.pipeline(train=False, layout='NCTHW')
    return runner_of(videos, work_dir, name, model, views, val, custom_hooks=hooks, **extra)


@pytest.mark.slow
def test_a_student_learns_and_its_checkpoint_is_its_own(videos, teacher, tmp_path):
    whole = distill(videos, tmp_path / 'whole', teacher)
    whole.train()
    saved = torch.load(tmp_path / 'whole' / f'epoch_{EPOCHS}.pth', weights_only=False)
    assert set(saved['state_dict']) == set(MODELS.build(tiny.recognizer()).state_dict())
    assert all('extractors' not in key for key in saved['training_state'])
    names = [key.rpartition('/')[2] for key in whole.message_hub.log_scalars if key.startswith('val/')]
    assert {'top1', 'kl'} <= set(names), 'the teacher predicts the validation clips with all of its views'
    half = distill(videos, tmp_path / 'half', teacher, 'half', train_cfg=dict(max_epochs=1))
    half.train()
    resumed = distill(videos, tmp_path / 'half', teacher, 'resumed', resume=True)
    resumed.train()
    for one, two in zip(whole.model.state_dict().values(), resumed.model.state_dict().values(), strict=True):
        assert torch.equal(one, two)


def test_a_teacher_answers_as_its_own_test_does_and_masks_what_is_missing(videos, teacher):
    config, checkpoint = teacher
    frozen = FrozenTeacher(config=config, checkpoint=str(checkpoint))
    pipeline = Runner.build_dataloader(Config.fromfile(config).val_dataloader).dataset
    samples = [pipeline[place] for place in range(4)]
    assert [each['inputs']['present'].tolist() for each in samples] == [[1, 0, 1], [1, 1, 1], [1, 1, 1], [1, 0, 1]]
    answers = frozen.predict(pseudo_collate(copy.deepcopy(samples)))
    for sample in samples:  # masked by hand, with pixels in the place of the view
        sample['inputs']['other'] = sample['inputs']['rgb'].clone()
    masked = frozen.predict(pseudo_collate(copy.deepcopy(samples)))
    assert torch.allclose(answers[[0, 3]], masked[[0, 3]], atol=1e-6)
    for sample in samples:
        sample['inputs']['present'][OTHER] = 1
    shown = frozen.predict(pseudo_collate(samples))
    assert not torch.allclose(answers[[0, 3]], shown[[0, 3]], atol=1e-5)
    assert torch.allclose(answers.sum(1), torch.ones(4))


def build(student=None, **keys):
    teacher = dict(dict(config=MODEL, checkpoint=None), **keys)
    terms = [dict(type='KDLoss', at='logits', weight=1.0)]
    return MODELS.build(
        dict(type='Distiller', student=student or tiny.recognizer(), teacher=teacher, terms=terms)
    ).train()


def batch_of(videos, teacher=None):
    views = dict(type='DistillViews', student=clips.pipeline(layout='NCTHW'), teacher=teacher or several())
    config = Config(clips.runner_config(videos, videos, {}, [views]))
    dataset = Runner.build_dataloader(config.train_dataloader).dataset
    return pseudo_collate([dataset[place] for place in range(4)])


def step(model, data):
    losses = model(**model.data_preprocessor(copy.deepcopy(data), True), mode='loss')
    model.parse_losses(losses)[0].backward()
    return losses


def test_clips_are_mixed_as_the_students_are_and_a_view_is_there_where_both_have_it(videos):
    student = tiny.recognizer()
    student['data_preprocessor']['blending'] = dict(type='MixupBlending', num_classes=5, alpha=1.0)
    model, batch = build(student), batch_of(videos)
    raw = {name: torch.stack(each).float() for name, each in batch['views']['teacher'].items()}
    torch.manual_seed(3)
    data = model.data_preprocessor(copy.deepcopy(batch), True)
    share = torch.stack([each.gt_label for each in data['data_samples']])
    assert ((share > 0) & (share < 1)).any(), 'mixed'
    mixed, there = data['views']['teacher'], data['views']['teacher']['present']
    plain = build().data_preprocessor(copy.deepcopy(batch), True)['views']['teacher']
    own = raw['present'][:, OTHER]
    assert there[:, OTHER].sum() < own.sum() and (there[:, OTHER] <= own).all() and there[:, [0, 2]].all()
    student_moved = (data['inputs'] - build().data_preprocessor(copy.deepcopy(batch), True)['inputs']).abs().flatten(1)
    for name in ('rgb', 'flow'):
        moved = (mixed[name] - plain[name]).abs().flatten(1).amax(1) > 1e-4
        assert torch.equal(moved, student_moved.amax(1) > 1e-4), name


def test_it_answers_among_others_and_as_a_peer(videos):
    plain = tiny.recognizer(6)
    terms = [dict(type='KDLoss', at='logits', weight=1.0)]
    members = dict(many=dict(config=MODEL, checkpoint=None), one=dict(config=plain, checkpoint=None))
    kinds = dict(ensemble=dict(type='TeacherEnsemble', members=members), peer=dict(type='PeerTeacher', config=MODEL))
    views = dict(many=several(), one=clips.pipeline(layout='NCTHW'))
    for name, teacher in kinds.items():
        model = dict(type='Distiller', student=tiny.recognizer(), teacher=teacher, terms=terms)
        model = MODELS.build(model).train()
        losses = step(model, batch_of(videos, views if name == 'ensemble' else several()))
        assert losses['loss_kd'].isfinite() and losses['loss_kd'] > 0, name
    assert losses['loss_teacher_mutual'] > 0 and 'teacher_top1_acc' in losses
    assert all(each.grad is not None for each in model.teachers['teacher'].state.parameters())


@pytest.mark.parametrize('drop', ['flow', 'present'])
def test_a_view_that_lacks_a_part_is_named(videos, drop):
    model, batch = build(), batch_of(videos)
    del batch['views']['teacher'][drop]
    with pytest.raises(ValueError, match=r"teacher: got a view of \[.*expected \['flow', 'other', 'present', 'rgb'\]"):
        step(model, batch)


def test_without_a_view_of_its_own_the_error_says_what_to_do(videos):
    batch = batch_of(videos)
    del batch['views']
    with pytest.raises(ValueError, match='teacher sees several modalities at once.*DistillViews'):
        step(build(), batch)


@pytest.mark.parametrize('name', ['multiview/rgb_flow', 'multiview/three_views', 'modalities/flow'])
def test_a_fold_has_a_teacher_that_is_trained_on_its_clips_alone(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = Config.fromfile(f'configs/{name}_to_mobilenet_ut_interaction.py')
    keys = [f'{split}_dataloader.dataset.ann_file' for split in ('train', 'test')]
    folds = fold_config(config, {key: 'folds/fold{}_' + key.partition('_')[0] + '.txt' for key in keys}, 3)
    options = folds.prepare.teacher_options
    assert options.train_dataloader.dataset.ann_file == 'folds/fold3_train.txt'
    assert options.test_dataloader.dataset.ann_file == 'folds/fold3_test.txt'
    assert folds.model.teacher.checkpoint.endswith('_fold3.pth')
    trained = Config.fromfile(folds.prepare.teacher)
    trained.merge_from_dict(options.to_dict())
    (loader,) = {trained.train_dataloader.dataset.ann_file}
    assert loader == folds.train_dataloader.dataset.ann_file == 'folds/fold3_train.txt'
    plain = Config.fromfile('configs/distill/i3d_to_mobilenet_ut_interaction.py')
    assert plain.model.student == config.model.student and plain.val_dataloader == config.val_dataloader
