import math

import numpy as np
import pytest
import torch
from mmaction.evaluation import AccMetric

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import METRICS
from mmkd_video.evaluation import AgreementMetric

TEACHER = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5], [0.0, 1.0, 0.0]], np.float32)
STUDENT = np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.25, 0.25, 0.5], [0.2, 0.5, 0.3]], np.float32)
LABELS = np.array([0, 1, 0, 1])


def evaluate(student=STUDENT, teacher=TEACHER, labels=LABELS, truth=LABELS, teacher_name=None):
    metric = AgreementMetric(teacher_name)
    metric.set_predictions(teacher, labels)
    samples = [
        dict(pred_score=torch.as_tensor(row), gt_label=torch.tensor([label]))
        for row, label in zip(student, truth, strict=True)
    ]
    metric.process(None, samples[:3])
    metric.process(None, samples[3:])
    return metric.evaluate(len(samples))


def test_numbers_are_those_of_the_definition():
    metrics = evaluate()
    kl = [
        0.7 * math.log(0.7 / 0.5) + 0.2 * math.log(0.2 / 0.3) + 0.1 * math.log(0.1 / 0.2),
        0.1 * math.log(0.1 / 0.6) + 0.8 * math.log(0.8 / 0.3),
        0.0,
        math.log(1 / 0.5),
    ]
    assert metrics == pytest.approx(
        {'agreement/top1': 0.75, 'agreement/kl': sum(kl) / 4, 'teacher/top1': 0.75}, rel=1e-5
    )
    expected = torch.nn.functional.kl_div(
        torch.tensor(STUDENT).log(), torch.tensor(TEACHER), reduction='batchmean'
    ).item()
    assert metrics['agreement/kl'] == pytest.approx(expected, rel=1e-5)


def test_a_teacher_of_the_first_classes_is_compared_on_these():
    """The student's share among them; the teacher's own accuracy over the clips that it can know."""
    metric = AgreementMetric()
    two = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]], np.float32)
    labels = np.array([0, 0, 2, 1])
    metric.set_predictions(two, labels, first=True)
    student = np.array([[0.4, 0.1, 0.5], [0.1, 0.3, 0.6], [0.1, 0.2, 0.7], [0.0, 0.0, 1.0]], np.float32)
    rows = [dict(pred_score=torch.as_tensor(row), gt_label=torch.tensor([0])) for row in student]
    metric.process(None, [dict(row, gt_label=torch.tensor([label])) for row, label in zip(rows, labels, strict=True)])
    found = metric.evaluate(4)
    assert found['agreement/top1'] == 0.75 and math.isfinite(found['agreement/kl'])
    assert found['teacher/top1'] == pytest.approx(1 / 3)  # 0.9 is right, 0.2 is not, the tie goes to class 0
    metric.set_predictions(two, labels)
    with pytest.raises(ValueError, match='the student scores 3 classes, the teacher 2'):
        metric.process(None, rows)


def test_a_student_that_copies_its_teacher_agrees_fully():
    metrics = evaluate(student=TEACHER)
    assert (metrics['agreement/top1'], metrics['agreement/kl']) == (1.0, pytest.approx(0.0, abs=1e-9))


def test_confident_student_gives_a_finite_divergence():
    student = np.array([[0, 0, 1.0]] * 4, np.float32)
    assert math.isfinite(evaluate(student=student)['agreement/kl'])


def test_raw_scores_count_as_logits_and_clips_are_averaged():
    logits = np.log(STUDENT)
    assert evaluate(student=logits) == pytest.approx(evaluate(), rel=1e-5)
    clips = np.stack([STUDENT, TEACHER], axis=1)
    assert evaluate(student=clips) == pytest.approx(evaluate(student=(STUDENT + TEACHER) / 2), rel=1e-5)


def test_several_teachers_have_keys_of_their_own():
    assert set(evaluate(teacher_name='i3d')) == {'agreement/i3d/top1', 'agreement/i3d/kl', 'teacher/i3d/top1'}


def evaluate_several(truth, **more):
    metric = AgreementMetric(**more)
    metric.set_predictions(TEACHER, np.full(4, -1))
    rows = zip(STUDENT, truth, strict=True)
    metric.process(None, [dict(pred_score=torch.tensor(row), gt_label=torch.tensor(label)) for row, label in rows])
    return metric.evaluate(4)


def test_labels_of_several_classes_have_the_teachers_mean_average_precision():
    truth = [[1.0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0]]  # none of the third class
    found = evaluate_several(truth)
    assert set(found) == {'agreement/top1', 'agreement/kl', 'teacher/mean_average_precision'}
    own = AccMetric(metric_list=('mean_average_precision',))
    own.process(
        None,
        [dict(pred_score=torch.tensor(row), gt_label=torch.tensor(y)) for row, y in zip(TEACHER, truth, strict=True)],
    )
    with np.errstate(invalid='ignore'):
        theirs = own.evaluate(4)['acc/mean_average_precision']
    assert found['teacher/mean_average_precision'] == pytest.approx(theirs)
    assert 'teacher/i3d/mean_average_precision' in evaluate_several(truth, teacher='i3d')


def test_samples_without_a_label_have_no_teacher_accuracy():
    assert set(evaluate_several([[0.0, 0, 0]] * 4)) == {'agreement/top1', 'agreement/kl'}
    metric = AgreementMetric()
    metric.set_predictions(TEACHER, np.full(4, -1))
    metric.process(None, [dict(pred_score=torch.tensor(row)) for row in STUDENT])
    assert set(metric.evaluate(4)) == {'agreement/top1', 'agreement/kl'}


def test_without_predictions_it_reports_nothing():
    metric = METRICS.build(dict(type='AgreementMetric'))
    metric.process(None, [dict(pred_score=torch.ones(3))])
    assert metric.evaluate(1) == {}


def test_padding_of_the_last_batch_is_dropped():
    metric = AgreementMetric()
    metric.set_predictions(TEACHER, LABELS)
    rows = [*range(4), 0]
    metric.process(None, [dict(pred_score=torch.tensor(STUDENT[i]), gt_label=torch.tensor(LABELS[i])) for i in rows])
    assert metric.evaluate(4) == evaluate()


def test_other_number_of_samples_is_an_error():
    with pytest.raises(ValueError, match='predictions of the teacher for 3 samples, expected 4'):
        evaluate(teacher=TEACHER[:3], labels=LABELS[:3])


def test_other_order_is_an_error():
    with pytest.raises(ValueError, match='must not shuffle'):
        evaluate(truth=LABELS[::-1])


def test_other_number_of_classes_is_an_error():
    with pytest.raises(ValueError, match=r'student scores 2 classes, the teacher 3; .*classes=\[\.\.\.\]'):
        evaluate(student=STUDENT[:, :2])


def test_malformed_predictions_are_an_error():
    with pytest.raises(ValueError, match=r'expected \(N, K\) and \(N,\)'):
        AgreementMetric().set_predictions(TEACHER, LABELS[:2])
