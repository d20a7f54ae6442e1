"""Teachers of a library in a comparison: tested as their distillation builds them, on the student's classes."""

import json

import numpy as np
import pytest
import transformers_models
from mmengine.config import Config

from mmkd_video.evaluation import ScoredClips
from mmkd_video.workflows.compare.teachers import tested_teachers as find_teachers
from mmkd_video.workflows.train.run_folder import RESULT, SCORES
from mmkd_video.workflows.train.teacher_score import score_teacher

CLASSES = 8
WRONG_WAY = list(range(CLASSES))[::-1]


@pytest.fixture
def config(tiny):
    """The tiny distillation, whose teacher is a VideoMAE in a folder, with its classes in the other order."""
    transformers_models.library()
    folder = tiny.folder / 'videomae'
    labels = {index: f'class {index}' for index in range(CLASSES)}
    transformers_models.write(folder, 'videomae', settings=dict(id2label=labels, label2id={}))
    config = Config.fromfile(tiny.distill)
    source = f'hf::{folder}'
    config.model.teacher = dict(config=source, classes=WRONG_WAY)
    config.train_dataloader.dataset.pipeline[0].teacher = source
    config.pop('prepare')
    return config


def test_it_is_scored_on_every_clip_and_on_the_classes_of_the_student(config, tiny, tmp_path):
    found = score_teacher(config, 'teacher', tmp_path / 'a.npz', ['val', 'test'])
    scored = ScoredClips.read(tmp_path / 'a.npz')
    assert scored.probabilities.shape == (16, CLASSES) and found['params'] > 1000
    listed = [int(line.split()[1]) for line in (tiny.root / 'test.txt').read_text().splitlines()]
    assert scored.labels.tolist() == listed
    assert found['metrics']['acc/top1'] == pytest.approx(scored.correct.mean())
    assert 0 <= found['val']['acc/top1'] <= 1
    config.model.teacher.pop('classes')
    score_teacher(config, 'teacher', tmp_path / 'b.npz')
    plain = ScoredClips.read(tmp_path / 'b.npz')
    np.testing.assert_allclose(plain.probabilities[:, WRONG_WAY], scored.probabilities, rtol=1e-4)
    assert np.array_equal(plain.names, scored.names) and scored.agreement(plain, WRONG_WAY) == 1


def test_a_comparison_tests_what_has_class_scores(config, tmp_path, capsys):
    teachers, owned = find_teachers(dict(a=config), tmp_path)
    assert list(teachers) == ['teacher'] and owned == {'a': ['teacher']}
    both, owned = find_teachers(dict(a=config, b=config.copy()), tmp_path)
    assert list(both) == ['teacher'] and owned == {'a': ['teacher'], 'b': ['teacher']}
    folder = teachers['teacher'].run.folder
    assert folder._teacher == 'teacher' and [path.suffix for path in folder._weights()] == ['.safetensors']
    transformers_models.write(tmp_path / 'siglip', 'siglip')
    config.model.teacher = dict(config=f'hf::{tmp_path / "siglip"}')
    assert find_teachers(dict(a=config), tmp_path) == ({}, {'a': []})
    assert 'a: teacher: not tested, it has no test configuration' in capsys.readouterr().out


@pytest.mark.slow
def test_a_comparison_prints_it(config, tiny):
    config.dump(tiny.folder / 'whole.py')
    options = ['train_cfg.max_epochs=1', 'train_cfg.val_interval=1']
    said = tiny.run('compare.py', 'whole.py', '--seeds', '0', '--work-dir', 'out', '--cfg-options', *options).stdout
    folder = tiny.folder / 'out' / 'teacher'
    (result,) = folder.glob(f'*/{RESULT}')
    score = json.loads(result.read_text())['metrics']['acc/top1']
    (row,) = [line for line in said.splitlines() if line.startswith('teacher')]
    assert f'{100 * score:.2f}' in row and result.with_name(SCORES).is_file()
    agreements = [line for line in said.splitlines() if line.startswith('student')]
    assert agreements and not any(' - ' in line.split('agreement')[-1] for line in agreements[:2])
