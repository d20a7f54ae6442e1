"""Accuracy on corrupted clips: what the tool measures, how it sums up, and how it goes on after an interruption."""

import json

import numpy as np
import pytest
import untrained
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from tiny_experiment import TinyExperiment

from mmkd_video.cli import robustness as command
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import DATASETS
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.deploy.student import StudentCheckpoint
from mmkd_video.workflows.robustness import measuring
from mmkd_video.workflows.robustness.measuring import measure_robustness
from mmkd_video.workflows.robustness.robustness_report import Cell, ModelOnCorruptions, RobustnessReport
from mmkd_video.workflows.robustness.tested_model import TestedModel

KINDS = ['GaussianNoise', 'FrameRateChange']
SEVERITIES = (2, 5)


@pytest.fixture(scope='module')
def experiment(tmp_path_factory, tiny_clips):
    made = TinyExperiment(tmp_path_factory.mktemp('robustness'), tiny_clips)
    made.weights = untrained.write(made)
    return made


@pytest.fixture(scope='module')
def measured(experiment):
    """What the tool wrote: (numbers, folder)."""
    words = [experiment.distill, experiment.weights, '--beside', 'i3d', experiment.teacher, experiment.checkpoint]
    words += ['--reference', 'i3d', '--corruptions', *KINDS, '--severities', *SEVERITIES]
    command.main([*map(str, words), '--out', str(experiment.folder / 'kept.json')])
    return json.loads((experiment.folder / 'kept.json').read_text()), experiment.folder


def i3d(experiment, name='i3d', **more):
    return TestedModel(name, str(experiment.teacher), str(experiment.checkpoint), **more)


def classes_by_mmaction(experiment, *steps):
    """Return the classes that MMAction2's own ``test_step`` predicts for all test clips, and the labels."""
    config = read_config(str(experiment.teacher))
    model = StudentCheckpoint.read(experiment.checkpoint).build(config)
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(config.test_dataloader.dataset)
        pipeline = list(config.test_dataloader.dataset.pipeline)
        pipeline[3:3] = steps
        dataset.pipeline = Compose(pipeline)
    samples = model.test_step(pseudo_collate([dataset[index] for index in range(len(dataset))]))
    return np.array([[int(each.pred_label), int(each.gt_label)] for each in samples]).T


def test_it_measures_what_mmaction_measures_behind_the_same_transform(measured, experiment):
    told, folder = measured
    assert told['clips'] == 16 and told['severities'] == [2, 5] and list(told['models']) == ['distill', 'i3d']
    clean, labels = classes_by_mmaction(experiment)
    noisy, _ = classes_by_mmaction(experiment, dict(type='GaussianNoise', severity=5))
    found = told['models']['i3d']
    assert found['clean'] == dict(accuracy=(clean == labels).mean(), agreement=1.0)
    expected = dict(accuracy=(noisy == labels).mean(), agreement=(noisy == clean).mean())
    assert found['corrupted']['GaussianNoise'][1] == expected and expected['agreement'] < 1
    assert told['teacher'] == 'teacher' and told['teacher_accuracy'] == (clean == labels).mean()
    assert (folder / 'kept.png').read_bytes()[:4] == b'\x89PNG' and not (folder / 'kept.json.part').exists()


def report(reference='b', teacher='teacher'):
    def model(*rows):
        kinds = zip(('X', 'Y'), rows, strict=True)
        return ModelOnCorruptions('c.py', 'c.pth', Cell(1.0, 1.0), {k: [Cell(a, 0.5) for a in row] for k, row in kinds})

    models = {'a': model([0.9, 0.7], [0.5, 0.5]), 'b': model([0.8, 0.8], [0.0, 0.0])}
    return RobustnessReport(models, (1, 2), 10, reference, teacher, 1.0, '' if teacher else 'none')


def test_the_mean_corruption_error_is_that_of_imagenet_c():
    found = report()
    assert found.corruption_error('a', 'X') == pytest.approx((0.1 + 0.3) / (0.2 + 0.2))
    assert found.mean_corruption_error('a') == pytest.approx((1.0 + 0.5) / 2)
    assert found.mean_corruption_error('b') == 1.0
    assert 'mCE of ImageNet-C' in found.as_text() and 'no mCE' not in found.as_text()
    assert found.as_dict()['models']['a']['mean_error'] == pytest.approx(0.35)


def test_without_a_reference_or_a_teacher_it_is_said_plainly():
    found = report(None, None)
    assert found.mean_corruption_error('a') is None
    assert 'mean error: a 35.0 %, b 60.0 %. This is no mCE of ImageNet-C' in found.as_text()
    assert 'no agreement with a teacher: none' in found.as_text() and 'corruption error' not in found.as_text()


def test_an_error_of_nothing_divides_nothing():
    found = report('a')
    found.models['a'].corrupted['X'][:] = [Cell(1.0, 1.0)] * 2
    assert found.corruption_error('b', 'X') is None and found.mean_corruption_error('b') is None
    assert 'makes no error' in found.as_text()


def test_it_goes_on_where_it_was_interrupted(experiment, tmp_path, monkeypatch):
    settings = dict(kinds=KINDS, severities=[5], part=tmp_path / 'a.part')
    whole = measure_robustness([i3d(experiment, clips=4)], **settings | dict(part=None))

    def stop(done, total, what):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_robustness([i3d(experiment, clips=4)], progress=stop, **settings)
    with pytest.raises(WrongValueError, match='left by a measurement of other models, clips or settings'):
        measure_robustness([i3d(experiment, clips=4)], **settings, seed=1)
    made, measure = [], measuring._measure
    monkeypatch.setattr(measuring, '_measure', lambda *given: made.append(given[1]) or measure(*given))
    assert measure_robustness([i3d(experiment, clips=4)], **settings).as_dict() == whole.as_dict()
    assert made == [dict(type='FrameRateChange', severity=5, seed=0)] and not (tmp_path / 'a.part').exists()


@pytest.mark.parametrize('content', ['{', '[]', '{"told": "x", "cells": {"a": [2, null]}}'])
def test_a_damaged_state_is_refused(experiment, tmp_path, content):
    (tmp_path / 'a.part').write_text(content)
    with pytest.raises(WrongValueError, match=r'a\.part'):
        measure_robustness([i3d(experiment, clips=2)], kinds=KINDS, part=tmp_path / 'a.part')


@pytest.mark.parametrize(
    ('settings', 'kind', 'message'),
    [
        (
            dict(kinds=['GausianNoise']),
            WrongKeyError,
            r"--corruptions: got 'GausianNoise'.*did you mean 'GaussianNoise'",
        ),
        (dict(reference='x'), WrongKeyError, "--reference: got 'x'; expected one of i3d"),
        (dict(teacher='x'), WrongKeyError, "--teacher-name: got 'x', but the config has no teacher"),
    ],
)
def test_wrong_names_are_told(experiment, settings, kind, message):
    with pytest.raises(kind, match=message):
        measure_robustness([i3d(experiment, clips=2)], **settings)


def test_models_of_other_clips_or_of_one_name_are_refused(experiment):
    one = i3d(experiment, clips=2)
    with pytest.raises(WrongValueError, match='two models with the name'):
        measure_robustness([one, one])
    with pytest.raises(WrongValueError, match='got 3 test clips with labels that are not the 2 of i3d'):
        measure_robustness([one, i3d(experiment, name='other', clips=3)])


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['{student}', '{folder}/none.pth'], "none.pth' does not exist"),
        (['{student}', '{teacher_weights}'], 'does not belong to'),
        (['{student}', '{weights}', '--cfg-options', 'test_dataloader=None'], 'got none; expected a decoder'),
        (['{student}', '{weights}', '--out', '{folder}/a.txt'], 'expected a name that ends in .json'),
        (['{student}', '{weights}', '--out', '{folder}/kept.json'], '--out: {folder}/kept.json exists'),
    ],
)
def test_mistakes_are_one_line(experiment, measured, words, message, capsys):
    known = dict(
        folder=experiment.folder,
        student=experiment.student,
        weights=experiment.weights,
        teacher_weights=experiment.checkpoint,
    )
    with pytest.raises(SystemExit) as stopped:
        command.main([word.format(**known) for word in words])
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert stopped.value.code == 1 and said.startswith('error: ') and message.format(**known) in said
