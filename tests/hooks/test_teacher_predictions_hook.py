import random
from types import SimpleNamespace

import clips
import numpy as np
import pytest
import torch
import zoo
from mmengine.config import Config
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.runner import _SlicedDataset

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import METRICS
from mmkd_video.evaluation import teacher_predictions
from mmkd_video.teachers import FrozenTeacher

KEYS = ['agreement/top1', 'agreement/kl', 'teacher/top1']
OWN_PIPELINE = clips.pipeline(frames=8, size=32, train=False, layout='NCTHW')


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=5)


class KeepMetrics(Hook):
    """Keeps the metrics of each validation."""

    def __init__(self, seen):
        self.seen = seen

    def after_val_epoch(self, runner, metrics):
        self.seen.append(dict(metrics))


def build(videos, work_dir, teacher=None, **extra):
    """Return a runner of a distillation with an I3D that has a val pipeline of its own."""
    student, size = zoo.config_of('tsn_r18')
    model, teacher_size = zoo.config_of('i3d')
    teacher = teacher or dict(config=dict(model=model, val_pipeline=OWN_PIPELINE), checkpoint=None)
    model = dict(
        type='Distiller',
        student=student,
        teacher=teacher,
        terms=[dict(type='KDLoss', at='logits')],
        input_size=dict(student=size, teacher=teacher_size),
    )
    config = clips.runner_config(
        videos, work_dir, model, epochs=1, experiment_name=f'{work_dir.name}-{random.random()}'
    )
    config['custom_hooks'] = [dict(type='DistillHook'), dict(type='TeacherPredictionsHook')]
    config = Config(config)
    config.merge_from_dict(extra)
    return Runner.from_cfg(config)


def forbid_predictions(monkeypatch):
    def predict(self, data):
        raise AssertionError('the teacher was asked again')

    monkeypatch.setattr(FrozenTeacher, 'predict', predict)


@pytest.mark.slow
def test_validation_of_a_training_reports_agreement_beside_accuracy(videos, tmp_path):
    runner = build(videos, tmp_path)
    seen = []
    runner.register_hook(KeepMetrics(seen))
    runner.train()
    assert all(seen[0][key] >= 0 for key in KEYS), seen
    assert 'acc/top1' in seen[0]


def test_predictions_are_the_teachers_own_on_its_own_pipeline(videos, tmp_path):
    runner = build(videos, tmp_path)
    metrics = runner.val()
    teacher = runner.model.teachers['teacher']
    (path,) = tmp_path.glob('teacher_predictions_*.npz')
    assert path.stem.endswith(teacher.fingerprint)
    with np.load(path, allow_pickle=False) as file:
        found = {key: file[key] for key in file}
    assert found['probabilities'].dtype == np.float32 and found['probabilities'].shape == (5, 5)
    assert [name.rsplit('/', 1)[-1] for name in found['samples']] == [f'{i}.mp4' for i in range(5)]
    assert found['labels'].tolist() == [0, 1, 2, 3, 4]
    dataset = teacher_predictions.with_pipeline(runner.val_dataloader.dataset, OWN_PIPELINE)
    for index in range(5):
        sample = dataset[index]
        expected = teacher.predict(dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]))
        np.testing.assert_allclose(found['probabilities'][index], expected[0].numpy(), atol=1e-6)
    accuracy = (found['probabilities'].argmax(1) == found['labels']).mean()
    assert metrics['teacher/top1'] == pytest.approx(accuracy)


@pytest.mark.slow
def test_a_student_with_labels_of_several_classes(videos, tmp_path):
    lines = [f'{index}.mp4 {index} {(index + 1) % 5}\n' for index in range(5)]
    (tmp_path / 'several.txt').write_text(''.join(lines))
    data = dict(ann_file=str(tmp_path / 'several.txt'), multi_class=True, num_classes=5)
    loaders = {f'{each}_dataloader.dataset': data for each in ('train', 'val')}
    head = dict(multi_class=True, loss_cls=dict(type='BCELossWithLogits'), average_clips='score')
    metrics = ('mean_average_precision', 'mmit_mean_average_precision')
    model = zoo.config_of('i3d')[0]
    model['cls_head'].update(head)
    runner = build(
        videos,
        tmp_path,
        dict(config=dict(model=model, val_pipeline=OWN_PIPELINE), checkpoint=None),
        **loaders,
        **{
            'model.student.cls_head': head,
            'model.terms': [dict(type='BinaryKDLoss', at='logits')],
            'val_evaluator.metric_list': metrics,
        },
    )
    seen = []
    runner.register_hook(KeepMetrics(seen))
    runner.train()
    expected = {
        'agreement/top1',
        'agreement/kl',
        'teacher/mean_average_precision',
        *(f'acc/{each}' for each in metrics),
    }
    assert expected <= set(seen[0]) and all(0 <= seen[0][key] < float('inf') for key in expected)
    (path,) = tmp_path.glob('teacher_predictions_*.npz')
    with np.load(path, allow_pickle=False) as file:
        assert (np.abs(file['probabilities'].sum(1) - 1) > 0.1).all()  # each class by itself


def test_later_runs_read_the_file(videos, tmp_path, monkeypatch):
    first = build(videos, tmp_path).val()
    forbid_predictions(monkeypatch)
    again = build(videos, tmp_path).val()
    assert {key: again[key] for key in KEYS} == {key: first[key] for key in KEYS}


def test_second_validation_asks_nobody(videos, tmp_path, monkeypatch):
    runner = build(videos, tmp_path)
    first = runner.val()
    forbid_predictions(monkeypatch)
    next(tmp_path.glob('teacher_predictions_*.npz')).unlink()
    assert runner.val_loop.run() == first


@pytest.mark.parametrize('damage', ['truncated', 'pickled', 'other samples', 'other pipeline'])
def test_file_that_does_not_fit_is_made_anew(videos, tmp_path, damage, monkeypatch):
    build(videos, tmp_path).val()
    (path,) = tmp_path.glob('teacher_predictions_*.npz')
    whole = path.read_bytes()
    with np.load(path) as file:
        parts = {key: file[key] for key in file}
    if damage == 'truncated':
        path.write_bytes(whole[:100])
    elif damage == 'pickled':
        np.savez(path, **{**parts, 'samples': parts['samples'].astype(object)})
    elif damage == 'other samples':
        np.savez(path, **{**parts, 'samples': parts['samples'][::-1]})
    else:
        np.savez(path, **{**parts, 'pipeline': 'another'})
    build(videos, tmp_path).val()
    with np.load(path, allow_pickle=False) as file:
        for key, value in parts.items():
            np.testing.assert_array_equal(file[key], value)


def test_test_loop_is_left_as_it_is(videos, tmp_path):
    config = clips.runner_config(videos, tmp_path, {})
    test = dict(test_dataloader=config['val_dataloader'], test_evaluator=dict(type='AccMetric'))
    runner = build(videos, tmp_path, test_cfg=dict(type='TestLoop'), **test)
    assert set(runner.test()).isdisjoint(KEYS)
    assert not list(tmp_path.glob('*.npz'))


def test_metric_of_the_config_is_used_and_not_doubled(videos, tmp_path):
    runner = build(videos, tmp_path, val_evaluator=[dict(type='AgreementMetric'), dict(type='AccMetric')])
    assert set(KEYS) < set(runner.val())
    kind = METRICS.get('AgreementMetric')
    assert sum(isinstance(metric, kind) for metric in runner.val_evaluator.metrics) == 1


def test_teacher_given_as_a_model_has_no_agreement_and_says_so(videos, tmp_path, capsys):
    teacher = dict(config=zoo.config_of('i3d')[0], checkpoint=None)
    metrics = build(videos, tmp_path, teacher).val()
    assert set(metrics).isdisjoint(KEYS)
    assert 'teacher has no val pipeline (no config): its agreement is not reported' in ''.join(capsys.readouterr())


def test_pipeline_that_does_not_fit_the_files_warns_and_goes_on(videos, tmp_path, capsys):
    frames = [dict(type='SampleFrames', clip_len=1, num_clips=2), dict(type='RawFrameDecode')]
    teacher = dict(config=dict(model=zoo.config_of('i3d')[0], val_pipeline=frames), checkpoint=None)
    metrics = build(videos, tmp_path, teacher).val()
    assert set(metrics).isdisjoint(KEYS) and 'acc/top1' in metrics
    assert "teacher's own val pipeline does not work" in ''.join(capsys.readouterr())


def test_two_teachers_have_keys_of_their_own(videos, tmp_path):
    small = dict(
        config=dict(model=zoo.config_of('tsn_r18')[0], val_pipeline=clips.pipeline(train=False)), checkpoint=None
    )
    i3d = dict(config=dict(model=zoo.config_of('i3d')[0], val_pipeline=OWN_PIPELINE), checkpoint=None)
    terms = [dict(type='KDLoss', at='logits', teacher=name, name=f'kd_{name}') for name in ('small', 'i3d')]
    runner = build(
        videos, tmp_path, dict(small=small, i3d=i3d), **{'model.terms': terms, 'model.input_size': (8, 32, 32)}
    )
    metrics = runner.val()
    assert {'agreement/small/top1', 'agreement/i3d/kl', 'teacher/small/top1'} < set(metrics)
    assert len(list(tmp_path.glob('*.npz'))) == 2


def test_members_of_an_ensemble_predict_through_pipelines_of_their_own(videos, tmp_path, capsys):
    small = dict(
        config=dict(model=zoo.config_of('tsn_r18')[0], val_pipeline=clips.pipeline(train=False)), checkpoint=None
    )
    i3d = dict(config=dict(model=zoo.config_of('i3d')[0], val_pipeline=OWN_PIPELINE), checkpoint=None)
    weighting = dict(type='weighted', weights=[3.0, 1.0])
    teacher = dict(type='TeacherEnsemble', members=dict(small=small, i3d=i3d), weighting=weighting)
    runner = build(videos, tmp_path, teacher, **{'model.input_size': (8, 32, 32)})
    given = []
    hook = next(each for each in runner.hooks if type(each).__name__ == 'TeacherPredictionsHook')
    merge = runner.model.teachers['teacher'].merge
    runner.model.teachers['teacher'].merge = lambda predictions: given.append(predictions) or merge(predictions)
    metrics = runner.val()
    assert set(KEYS) < set(metrics) and len(list(tmp_path.glob('*.npz'))) == 2
    (found,) = given
    (metric,) = [each for each in runner.val_evaluator.metrics if type(each).__name__ == 'AgreementMetric']
    expected = 0.75 * found['small'] + 0.25 * found['i3d']
    np.testing.assert_allclose(merge(found), expected, atol=1e-6)
    assert metrics['teacher/top1'] == pytest.approx(float((expected.argmax(1) == torch.arange(5)).float().mean()))
    assert hook._done and metric.teacher is None


def test_an_ensemble_without_a_members_predictions_has_no_agreement(videos, tmp_path, capsys):
    bare = dict(config=zoo.config_of('tsn_r18')[0], checkpoint=None)
    i3d = dict(config=dict(model=zoo.config_of('i3d')[0], val_pipeline=OWN_PIPELINE), checkpoint=None)
    teacher = dict(type='TeacherEnsemble', members=dict(i3d=i3d, bare=bare))
    metrics = build(videos, tmp_path, teacher, **{'model.input_size': (8, 32, 32)}).val()
    assert set(metrics).isdisjoint(KEYS) and not list(tmp_path.glob('*.npz'))
    assert 'teacher: without the predictions of bare, its agreement is not reported' in ''.join(capsys.readouterr())


def test_random_state_is_left_as_it_was():
    dataset = [np.zeros(1)] * 3
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()

    def draw(batch):
        random.random(), np.random.rand(), torch.rand(1)
        return torch.ones(len(batch), 2)

    teacher_predictions.predict(SimpleNamespace(predict=draw), 'teacher', dataset, 2, 0)
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()
    assert torch.equal(torch.get_rng_state(), states[2])


@pytest.mark.parametrize('samples', [5, 4, 1])
def test_shares_of_the_ranks_come_back_in_the_order_of_the_dataset(monkeypatch, samples):
    dataset = [np.full(2, i) for i in range(samples)]
    teacher = SimpleNamespace(predict=lambda batch: torch.as_tensor(np.stack(batch)))
    shares = {}
    for rank in (1, 0):
        monkeypatch.setattr(teacher_predictions, 'get_dist_info', lambda rank=rank: (rank, 2))

        def gather(rows, rank=rank):
            shares[rank] = rows
            return [shares.get(0, rows), shares.get(1, rows)] if rank == 0 else [[np.zeros(2)] * 3, rows or [0]]

        monkeypatch.setattr(teacher_predictions, 'all_gather_object', gather)
        found = teacher_predictions.predict(teacher, 'teacher', dataset, 2, 0)
    assert [len(shares[rank]) for rank in (0, 1)] == [(samples + 1) // 2, samples // 2]
    np.testing.assert_array_equal(found, np.stack(dataset))


class Numbers(BaseDataset):
    def load_data_list(self):
        return [dict(filename=f'{i}.mp4', label=i) for i in range(3)]


@pytest.mark.parametrize(
    'wrap',
    [
        lambda data: data,
        lambda data: ConcatDataset([data, data]),
        lambda data: RepeatDataset(data, 2),
        lambda data: _SlicedDataset(data, 2),
    ],
)
def test_wrapped_datasets_keep_their_samples_and_the_given_one_its_pipeline(wrap):
    dataset = wrap(Numbers(pipeline=[lambda info: 'student']))
    twin = teacher_predictions.with_pipeline(dataset, [lambda info: info['filename']])
    names, labels = teacher_predictions.describe(twin)
    assert [twin[i] for i in range(len(twin))] == names.tolist() == [f'{label}.mp4' for label in labels]
    assert len(twin) == len(dataset) and dataset[0] == 'student'
