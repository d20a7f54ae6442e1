"""Folds: a teacher and students for each, every clip tested once."""

import math

import numpy as np
import pytest
from mmengine.config import Config
from test_protocol import Trainings

from mmkd_video.evaluation import ScoredClips
from mmkd_video.workflows.compare import protocol
from mmkd_video.workflows.compare.folds import _pooled_rows, compare_folds, fold_config, parse_templates
from mmkd_video.workflows.compare.result import Comparison, Row, Section
from mmkd_video.workflows.compare.table import as_text
from mmkd_video.workflows.train.prepare import merge_teacher_options, needed_parts

TEMPLATES = ['train_dataloader.dataset.ann_file=fold{}_train.txt', 'test_dataloader.dataset.ann_file=fold{}_test.txt']


def test_student_and_teacher_train_and_test_on_the_fold(tiny):
    given = Config.fromfile(tiny.distill)
    config = fold_config(given, parse_templates(TEMPLATES), 3)
    assert config.train_dataloader.dataset.ann_file == 'fold3_train.txt'
    assert config.model.teacher.checkpoint.endswith('tiny_fold3.pth')
    (_, teacher) = needed_parts(config)
    assert str(teacher.checkpoint) == config.model.teacher.checkpoint
    assert teacher.options['train_dataloader'] == dict(dataset=dict(ann_file='fold3_train.txt'))
    assert teacher.options['train_cfg'] == dict(max_epochs=1)  # the config's own stay
    merge_teacher_options(config)
    assert config.model.teacher.config['test_dataloader']['dataset']['ann_file'] == 'fold3_test.txt'
    assert config.val_dataloader is None and given.val_dataloader is not None  # they may be test clips here
    with_val = fold_config(given, {**parse_templates(TEMPLATES), 'val_dataloader.dataset.ann_file': 'v{}.txt'}, 3)
    assert with_val.val_dataloader.dataset.ann_file == 'v3.txt'
    assert given.to_dict() == Config.fromfile(tiny.distill).to_dict()


def test_one_teacher_under_its_name_trains_on_the_fold_too(tiny):
    config = Config.fromfile(tiny.distill)
    config.model.teacher = dict(teacher=config.model.teacher.to_dict())
    config.prepare.teacher = dict(teacher=config.prepare.teacher)
    config.prepare.teacher_options = dict(teacher=config.prepare.teacher_options.to_dict())
    config = fold_config(config, parse_templates(TEMPLATES), 3)
    (_, teacher) = needed_parts(config)
    assert teacher.options['train_dataloader'] == dict(dataset=dict(ann_file='fold3_train.txt'))
    merge_teacher_options(config)
    found = config.model.teacher.teacher.config
    assert found['train_dataloader']['dataset']['ann_file'] == 'fold3_train.txt'
    assert found['train_cfg']['max_epochs'] == 1


def test_a_teacher_that_learns_in_the_fold_needs_no_training_before(tiny):
    config = Config.fromfile(tiny.distill)
    config.prepare.teacher = config.prepare.teacher_options = None
    for teacher in (dict(type='EMATeacher'), dict(type='PeerTeacher', config=str(tiny.teacher))):
        config.model['teacher'] = None
        config.model.teacher = teacher
        found = fold_config(config, parse_templates(TEMPLATES), 3)
        assert found.train_dataloader.dataset.ann_file == 'fold3_train.txt'
        assert found.model.teacher.to_dict() == teacher
    config.model.teacher = dict(type='PeerTeacher', config=str(tiny.teacher), checkpoint='elsewhere.pth')
    with pytest.raises(ValueError, match='each fold needs a teacher that has not seen its test clips'):
        fold_config(config, parse_templates(TEMPLATES), 3)


def test_one_teacher_for_all_folds_is_refused(tiny):
    config = Config.fromfile(tiny.distill)
    with pytest.raises(ValueError, match="got 'train_dataloader.data.x', which the config does not have"):
        fold_config(config, {'train_dataloader.data.x': '{}'}, 0)
    config.prepare.teacher = None
    with pytest.raises(ValueError, match='each fold needs a teacher that has not seen its test clips'):
        fold_config(config, parse_templates(TEMPLATES), 0)


@pytest.mark.parametrize(
    ('texts', 'message'),
    [
        (['train_dataloader.dataset.ann_file=a.txt'], 'expected KEY=VALUE with {}'),
        (['fold{}'], 'expected KEY=VALUE with {}'),
        (TEMPLATES[:1], 'got no key of test_dataloader'),
        (TEMPLATES[1:], 'got no key of train_dataloader'),
    ],
)
def test_wrong_templates_are_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        parse_templates(texts)


RIGHT = {  # of the clips of each fold, by arm and seed
    0: {('student alone', 0): '1000', ('student alone', 1): '1100', ('student distilled', 0): '1110'},
    1: {('student alone', 0): '11', ('student alone', 1): '01', ('student distilled', 0): '11'},
}
for _right in RIGHT.values():
    _right['student distilled', 1] = _right['student distilled', 0]
    _right['teacher', None] = '1' * len(_right['student alone', 0])


@pytest.fixture
def clips(monkeypatch):
    """Runs that are right as ``RIGHT`` says."""

    def right(run):
        fold = next(number for number in RIGHT if f'fold{number}' in run.folder.path.parts)
        return np.array([int(digit) for digit in RIGHT[fold][run.arm, run.seed]])

    def scored(run):
        correct = right(run)
        labels = np.zeros(len(correct), int)
        return ScoredClips(np.stack([correct, 1 - correct], axis=1), labels, np.arange(len(correct)).astype(str))

    class Folds(Trainings):
        def result(self, run):
            found = super().result(run)
            return dict(found, metrics={'acc/top1': float(right(run).mean())})

    monkeypatch.setattr('mmkd_video.workflows.compare.clips.scored_clips', scored)
    return Folds(monkeypatch)


def test_accuracy_is_over_all_clips_and_pairs_are_folds(clips, tiny, tmp_path):
    prepared, read = [], []
    found = compare_folds(
        dict(distill=Config.fromfile(tiny.distill)),
        (0, 1),
        tmp_path,
        templates=TEMPLATES,
        num_folds=2,
        prepare=lambda config: prepared.append(config.model.teacher.checkpoint[-9:]),
        read=lambda config, more: read.append(more) or config,
    )
    assert [each['test_dataloader.dataset.ann_file'] for each in read] == ['fold0_test.txt', 'fold1_test.txt']
    assert prepared == ['fold0.pth', 'fold1.pth']
    alone, distilled = found.sections[0].rows
    assert alone.scores == pytest.approx([3 / 6, 3 / 6]) and distilled.scores == pytest.approx([5 / 6, 5 / 6])
    assert alone.pairs == pytest.approx([0.5, 0.5])  # 3/8 of 4 clips and 3/4 of 2, in units of 3 clips
    assert distilled.pairs == pytest.approx([1.0, 2 / 3]) and found.teachers[0].score == 1.0
    assert alone.clips == [1.0, 0.5, 0.0, 0.0, 0.5, 1.0] and distilled.clips == [1.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    finding = found.as_dict()['findings'][0]
    assert (finding['pairs'], finding['wins']) == (2, 2) and finding['mean'] == pytest.approx(1 / 3)
    by_clip = finding['by_clip']
    assert by_clip['clips'] == 6 and by_clip['mean'] == pytest.approx(1 / 3)
    half = 2.5705818356 * math.sqrt((0.5 - 2**2 / 6 + 1.0) / 5 / 6)  # differences 0, 1/2, 1, 0, 1/2, 0
    assert by_clip['student']['high'] == pytest.approx(1 / 3 + half, rel=1e-6)
    text = as_text(found)
    assert 'distilled - alone, by clip' in text and 'Accuracy over the 6 test clips of 2 folds' in text
    assert {trial['fold'] for trial in found.trials} == {0, 1}
    assert Comparison.from_dict(found.as_dict()) == found


def test_only_means_over_clips_are_pooled(clips, tiny, tmp_path, monkeypatch):
    result = clips.result
    monkeypatch.setattr(clips, 'result', lambda run: dict(result(run), metrics={'map': 0.5}))
    config = Config.fromfile(tiny.distill)
    with pytest.raises(ValueError, match="got the metric 'map', which is no mean over clips"):
        compare_folds(
            dict(a=config), (0,), tmp_path, templates=TEMPLATES, num_folds=1, prepare=lambda config: None, metric='map'
        )
    assert protocol.pick_metric({'map': 1.0}, 'map') == 'map'


def test_an_arm_that_one_fold_lacks_is_missing_and_no_other_takes_its_place():
    def row(arm, score):
        return Row(arm, 'student distilled', 'x', {}, [score], [score], [None], [1.0], [1.0])

    whole, poor = (Section('as shipped', rows) for rows in ([row('a', 0.2), row('b', 0.6)], [row('b', 0.8)]))
    for sections in ([whole, poor], [poor, whole]):
        found = {each.arm: each.scores for each in _pooled_rows(sections, [2, 2])}
        assert found == {'a': [None], 'b': [pytest.approx(0.7)]}
