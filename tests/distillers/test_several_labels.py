"""Clips of several labels: each class is scored by itself, and nothing takes the scores as one distribution."""

import clips
import pytest
import tiny
import torch
from mmaction.structures import ActionDataSample

from mmkd_video.core.registry import MODELS

HEAD = dict(multi_class=True, loss_cls=dict(type='BCELossWithLogits'), average_clips='score')
BINARY = dict(type='BinaryKDLoss', at='logits', weight=1.0)


def recognizer(channels=8, **head):
    config = tiny.recognizer(channels)
    config['cls_head'].update(HEAD | head)
    return config


def distillation(terms=(BINARY,), student=None, teacher=None, **extra):
    teacher = teacher or dict(config=recognizer(12), checkpoint=None)
    student = student or recognizer()
    return dict(dict(type='Distiller', student=student, teacher=teacher, terms=terms, input_size=tiny.SIZE), **extra)


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    root = clips.make_set(tmp_path_factory.mktemp('several'), count=6)
    (root / 'several.txt').write_text(''.join(f'{i}.mp4 {i % 5} {(i + 1) % 5}\n' for i in range(6)))
    return root


@pytest.mark.slow
def test_a_training_on_clips_of_two_labels_lowers_the_divergence_of_each_class(videos, tmp_path):
    data = dict(ann_file=str(videos / 'several.txt'), multi_class=True, num_classes=5)
    extra = {f'{each}_dataloader.dataset': data for each in ('train', 'val')}
    extra |= {'val_evaluator.metric_list': 'mean_average_precision', 'train_cfg.max_epochs': 6}
    runner, losses = tiny.train(videos, tmp_path, 'several', distillation(), **extra)
    assert {'loss_cls', 'loss_binarykd'} <= set(losses[0])
    first, last = (sum(each['loss_binarykd'] for each in part) for part in (losses[:3], losses[-3:]))
    assert last < 0.7 * first
    assert runner.model.student.cls_head.multi_class
    metrics = runner.val_loop.run()
    assert 0 < metrics['acc/mean_average_precision'] <= 1


SOFTMAX = ['KDLoss', 'DISTLoss', 'DKDLoss', 'HardKDLoss', 'LogitStdKDLoss', 'MLKDLoss', 'NKDLoss', 'TTMLoss']
SOFTMAX += ['WSLDLoss', 'WTTMLoss']


@pytest.mark.parametrize('loss', SOFTMAX)
def test_a_distribution_over_all_classes_is_refused(loss):
    with pytest.raises(ValueError, match=f'{loss} compares one distribution .*student has a I3DHead .*BinaryKDLoss'):
        MODELS.build(distillation([dict(type=loss, at='logits')]))


def test_it_is_refused_beside_a_teacher_of_several_labels_alone():
    with pytest.raises(ValueError, match="term 'kd': KDLoss .* but teacher has a I3DHead which scores each class"):
        MODELS.build(distillation([tiny.KD], student=tiny.recognizer()))


def test_features_and_plain_regression_of_scores_are_not():
    terms = [BINARY, tiny.MAP, dict(type='FitNetLoss', at='logits', name='regression')]
    assert len(MODELS.build(distillation(terms)).training_state.terms) == 3


def test_clips_averaged_by_a_softmax_are_refused():
    with pytest.raises(ValueError, match=r"student.cls_head.average_clips: got 'prob', a softmax .*expected 'score'"):
        MODELS.build(distillation(student=recognizer(average_clips='prob')))


def test_a_weighting_of_clips_by_one_distribution_is_refused():
    term = dict(BINARY, weight=dict(type='TeacherConfidence'))
    with pytest.raises(ValueError, match=r"term 'binarykd'.weight: TeacherConfidenceW.* reads .*a number"):
        MODELS.build(distillation([term]))


TEACHERS = [
    (dict(type='PeerTeacher', config=recognizer(12)), 'its mutual KDLoss compares'),
    (dict(type='SelfTeacher', exits=['backbone.layer1']), 'its exits learn from'),
    (
        dict(type='TeacherEnsemble', members={n: dict(config=recognizer(4), checkpoint=None) for n in 'ab'}),
        'its class scores are',
    ),
]


@pytest.mark.parametrize(('teacher', 'why'), TEACHERS, ids=lambda each: each.get('type') if type(each) is dict else '')
def test_a_teacher_that_makes_one_distribution_is_refused(teacher, why):
    config = distillation(teacher=teacher)
    if teacher['type'] == 'SelfTeacher':
        del config['terms']
    with pytest.raises(ValueError, match=f'teacher: {why} one distribution over all classes, but the student'):
        MODELS.build(config)


def test_a_peer_with_a_binary_mutual_loss_teaches():
    teacher = dict(type='PeerTeacher', config=recognizer(12), mutual=dict(type='BinaryKDLoss'))
    assert MODELS.build(distillation(teacher=teacher)).teachers['teacher'].mutual is not None


def test_the_teacher_predicts_the_probability_of_each_class():
    teacher = MODELS.build(distillation()).teachers['teacher']
    clip = torch.randint(0, 256, (1, 3, *tiny.SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    sample = ActionDataSample().set_gt_label(torch.tensor([1.0, 0, 1, 0, 0]))
    found = teacher.predict(dict(inputs=[clip], data_samples=[sample]))
    data = teacher.data_preprocessor(dict(inputs=[clip], data_samples=[sample]), False)
    scores = teacher.module(data['inputs'], stage='head', mode='tensor')
    assert torch.allclose(found, scores.sigmoid(), atol=1e-6) and found.sum() > 1.5


def test_an_adversarial_training_is_refused():
    config = distillation(type='AdversarialTraining', attack=dict(type='FGSM'))
    with pytest.raises(ValueError, match='AdversarialTraining: got a student with a I3DHead that scores each class'):
        MODELS.build(config)
