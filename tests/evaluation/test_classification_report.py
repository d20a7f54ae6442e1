import json

import numpy as np
import pytest
import torch
from mmaction.registry import METRICS
from mmaction.structures import ActionDataSample
from sklearn import metrics as sklearn_metrics

from mmkd_video.evaluation import ClassificationReport, classification_report


def fill(report, scores, labels):
    samples = [
        ActionDataSample().set_pred_score(torch.as_tensor(score)).set_gt_label(int(label)).to_dict()
        for score, label in zip(scores, labels, strict=True)
    ]
    report.process({}, samples[: len(samples) // 2])
    report.process({}, samples[len(samples) // 2 :])
    return report


def random_case(classes, count, seed=0, skip=()):
    rng = np.random.default_rng(seed)
    labels = rng.choice([k for k in range(classes) if k not in skip], count)
    scores = rng.random((count, classes)).astype(np.float32)
    scores[:, list(skip)] *= 0.5
    scores[np.arange(count), labels] += rng.random(count).astype(np.float32)
    return scores, labels


@pytest.mark.parametrize('classes, skip', [(3, ()), (8, ()), (8, (2, 5)), (30, (29,))])
def test_equals_scikit_learn(classes, skip):
    scores, labels = random_case(classes, 120, skip=skip)
    found = fill(ClassificationReport(), scores, labels).evaluate(len(labels))
    guesses = scores.argmax(1)
    expected = sklearn_metrics.precision_recall_fscore_support(labels, guesses, average='macro', zero_division=0)
    assert [found[f'report/{name}'] for name in ('precision', 'recall', 'f1')] == pytest.approx(expected[:3], abs=1e-12)
    accuracies = sklearn_metrics.recall_score(labels, guesses, labels=np.unique(labels), average='macro')
    assert found['report/mean_class_accuracy'] == pytest.approx(accuracies, abs=1e-12)
    assert found['report/top1'] == pytest.approx(sklearn_metrics.accuracy_score(labels, guesses), abs=1e-12)
    top5 = sklearn_metrics.top_k_accuracy_score(labels, scores, k=5, labels=np.arange(classes)) if classes > 5 else 1.0
    assert found['report/top5'] == pytest.approx(top5, abs=1e-12)


def test_file_holds_the_confusion_matrix_and_every_class(tmp_path):
    scores, labels = random_case(4, 50)
    path = tmp_path / 'new' / 'report.json'
    found = fill(ClassificationReport(classes=list('abcd'), out_file=str(path)), scores, labels).evaluate(50)
    written = json.loads(path.read_text())
    matrix = sklearn_metrics.confusion_matrix(labels, scores.argmax(1), labels=range(4))
    assert written['confusion_matrix'] == matrix.tolist()
    expected = sklearn_metrics.precision_recall_fscore_support(labels, scores.argmax(1), labels=range(4))
    for name, values in zip(('precision', 'recall', 'f1', 'support'), expected, strict=True):
        assert written['per_class'][name] == pytest.approx(list(values))
    assert written['classes'] == list('abcd')
    assert written['metrics'] == {name.removeprefix('report/'): value for name, value in found.items()}
    assert [item.name for item in path.parent.iterdir()] == ['report.json']


def test_log_shows_every_class(monkeypatch):
    said = []
    monkeypatch.setattr(classification_report, 'print_log', lambda text, **_: said.append(text))
    fill(
        ClassificationReport(classes=['left', 'up']), np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]), [0, 1, 1]
    ).evaluate(3)
    assert said[0].strip().splitlines() == [
        'class   precision  recall      f1  support  predicted as',
        '                                                   0   1',
        '0 left     0.5000  1.0000  0.6667        1         1   0',
        '1 up       1.0000  0.5000  0.6667        2         1   1',
    ]


def test_clips_that_are_not_averaged_are_averaged():
    scores = np.array([[[0.9, 0.1], [0.3, 0.7]], [[0.2, 0.8], [0.4, 0.6]]], np.float32)
    assert fill(ClassificationReport(), scores, [0, 1]).evaluate(2)['report/top1'] == 1.0


def test_several_labels_are_not_reported():
    report = ClassificationReport()
    report.process({}, [dict(pred_score=torch.rand(4), gt_label=torch.tensor([0, 1, 1, 0]))])
    assert report.evaluate(1) == {}


@pytest.mark.parametrize(
    'options, labels, message',
    [
        (dict(), [0, 4], 'the label 4 occurs, but the model scores 4'),
        (dict(classes=['a']), [0, 1], 'got 1 class names'),
    ],
)
def test_wrong_class_count_is_named(options, labels, message):
    with pytest.raises(ValueError, match=message):
        fill(ClassificationReport(**options), np.eye(4, dtype=np.float32)[:2], labels).evaluate(2)


def test_is_registered():
    assert isinstance(METRICS.build(dict(type='ClassificationReport')), ClassificationReport)
