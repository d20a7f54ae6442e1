import re
from dataclasses import replace

import numpy as np
import pytest
from exportable import noise, tiny_model

from mmkd_video.export import (
    PARITY_BOUNDS,
    DeployableRecognizer,
    ExportMetadata,
    ParityBound,
    check_parity,
    export_onnx,
    load_exported,
)
from mmkd_video.export.parity import compare


class FakeExport:
    """An exported file that says what the model says, changed by a function."""

    path, backend = 'fake.onnx', 'fake'

    def __init__(self, model, change=lambda rows: rows, precision='f32', dynamic_clips=False):
        self.model, self.change, self.precision = model, change, precision
        self.metadata = ExportMetadata.describe(model, np.stack(noise(1)), dynamic_clips=dynamic_clips)

    def predict(self, clips):
        return self.change(self.model.predict(clips))


@pytest.fixture(scope='module')
def model():
    return DeployableRecognizer(tiny_model())


def shifted(row, by):
    def change(rows):
        rows = rows.copy()
        rows[row, 0] += by
        return rows

    return change


def test_an_equal_file_passes(model):
    report = check_parity(model, FakeExport(model), noise(4))
    assert report.passed and report.clips == 4
    assert (report.largest_difference, report.agreement) == (0.0, 1.0)
    assert report.spread > 0.01 and 'passed' in str(report)


def test_the_worst_clip_is_named(model):
    report = check_parity(model, FakeExport(model, shifted(2, -0.01)), noise(4), names=list('wxyz'))
    assert not report.passed
    assert report.worst == 'y' and report.largest_difference == pytest.approx(0.01, abs=1e-4)
    assert 'differs by 0.01, more than 0.0001' in report.problems[0]


def test_a_clip_of_another_class_is_worse_than_a_larger_difference(model):
    def change(rows):
        rows = np.eye(5)[rows.argmax(1)]
        rows[3] = 0.21 * np.roll(rows[3], 1) + 0.2 * rows[3]
        return rows

    report = check_parity(model, FakeExport(model, change), noise(4), bound=ParityBound(1.0, 1.0))
    assert report.worst == 'clip 3' and report.agreement == 0.75
    assert any('top-1 agrees on 75.0%' in problem for problem in report.problems)


@pytest.mark.parametrize(
    ('precision', 'margin', 'passed'), [('int8', 0.09, True), ('int8', 0.11, False), ('f32', 0.09, False)]
)
def test_a_tie_falls_to_either_side(precision, margin, passed):
    expected = np.array([[0.5 + margin / 2, 0.5 - margin / 2], [1.0, 0.0], [0.0, 1.0]])
    found = np.array([[0.49, 0.51], [1.0, 0.0], [0.0, 1.0]])
    exported = FakeExport.__new__(FakeExport)
    exported.precision = precision
    report = compare(expected, found, exported, None, replace(PARITY_BOUNDS[precision], difference=1.0))
    assert (report.passed, report.agreement) == (passed, 1.0 if passed else 2 / 3)


def test_a_timid_model_has_no_wide_ties(model):
    expected = np.array([[0.51, 0.49], [0.52, 0.48], [0.5, 0.5]])
    exported = FakeExport.__new__(FakeExport)
    exported.precision = 'int8'
    report = compare(expected, expected[:, ::-1] + [0.005, -0.005], exported, None, PARITY_BOUNDS['int8'])
    assert report.tie == pytest.approx(0.004) and report.agreement == pytest.approx(1 / 3)


@pytest.mark.parametrize(('wrong', 'passed'), [(1e-6, True), (3e-6, True), (5e-5, False), (9e-5, False)])
def test_a_barely_trained_model_is_compared_by_what_there_is_to_see(wrong, passed):
    expected = 0.5 + np.array([[1e-4, -1e-4], [0.0, 0.0], [-1e-4, 1e-4]])
    exported = FakeExport.__new__(FakeExport)
    exported.precision = 'f32'
    report = compare(expected, expected + [wrong, -wrong], exported, None, PARITY_BOUNDS['f32'])
    assert report.spread == pytest.approx(2e-4) and report.tie == pytest.approx(4e-5)
    assert report.passed == passed and 'bound 4e-05' in str(report)
    if not passed:
        assert f'{wrong / 2e-4:.0%} of what clips do (bound 20%)' in report.problems[0]


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_a_barely_trained_model_that_is_exported_rightly_passes(tmp_path, backend):
    pytest.importorskip('onnxscript')
    pytest.importorskip(backend)
    recognizer = tiny_model()
    recognizer.cls_head.fc_cls.weight.data.mul_(1e-4)
    model, clips = DeployableRecognizer(recognizer), noise(4)
    path = export_onnx(model, tmp_path / 'a.onnx', np.stack(clips[:1]))
    report = check_parity(model, load_exported(path, backend), clips)
    assert report.passed and 1e-5 < report.spread < 2e-4, str(report)


def test_each_precision_has_its_own_bound(model):
    for precision, passed in (('f32', False), ('bf16', True), ('int8', True)):
        report = check_parity(model, FakeExport(model, lambda rows: rows * 0.97, precision), noise(4))
        assert (report.passed, report.bound) == (passed, PARITY_BOUNDS[precision])


def test_a_model_that_does_not_look_is_no_proof():
    model = tiny_model()
    model.cls_head.fc_cls.weight.data.zero_()
    model = DeployableRecognizer(model)
    report = check_parity(model, FakeExport(model), noise(4))
    assert not report.passed and 'the model does not depend on its input' in report.problems[0]


def test_a_file_that_does_not_look_fails(model):
    report = check_parity(model, FakeExport(model, lambda rows: rows[:1].repeat(len(rows), 0), 'int8'), noise(4))
    assert any('the file does not depend on its input' in problem for problem in report.problems)


def test_not_a_number_fails(model):
    assert not check_parity(model, FakeExport(model, lambda rows: rows * np.nan), noise(4)).passed


def test_a_difference_as_large_as_between_clips_fails(model):
    def timid(rows):
        return 0.2 + 1e-3 * rows

    reference = DeployableRecognizer(tiny_model())
    reference.predict = lambda clips: timid(model.predict(clips))
    found = FakeExport(model, lambda rows: timid(1 - rows))
    report = check_parity(reference, found, noise(4), bound=ParityBound(0.1, 0.0))
    assert len(report.problems) == 1 and re.search(r' \d{3}% of what clips do \(bound 100%\)', report.problems[0])


def test_a_file_with_a_dynamic_clip_count_is_run_with_another_one(model):
    class Shortsighted(FakeExport):
        def predict(self, clips):
            return self.model.predict([clip[:4] for clip in clips])

    clips, names = noise(3), list('xyz')
    assert check_parity(model, Shortsighted(model), clips, names).passed
    report = check_parity(model, Shortsighted(model, dynamic_clips=True), clips, names)
    assert not report.passed and report.clips == 6 and report.worst in ('x with z', 'y with x', 'z with y')
    assert check_parity(model, FakeExport(model, dynamic_clips=True), clips).passed


def test_one_clip_is_too_few(model):
    with pytest.raises(ValueError, match='got 1 clips, expected at least 2'):
        check_parity(model, FakeExport(model), noise(1))


def test_a_file_of_another_model_is_refused(model):
    other = tiny_model()
    other.cls_head.num_classes = 7
    with pytest.raises(ValueError, match='do not belong together'):
        check_parity(DeployableRecognizer(other), FakeExport(model), noise(2))
