import dataclasses
import hashlib
import sys

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample

pytest.importorskip('nncf')
pytest.importorskip('openvino')
from tiny_experiment import NUM_CLIPS

from mmkd_video.cli import quantize as command
from mmkd_video.cli import test as test_command
from mmkd_video.core.registry import build_model
from mmkd_video.export import PARITY_BOUNDS, ParityBound, load_exported, openvino_int8
from mmkd_video.quantization import (
    QUANTIZATION_KEY,
    choose_operators,
    count_convolutions,
    insert_quantizers,
    quantizer_parameters,
    quantizer_state,
)
from mmkd_video.quantization.sensitivity import classify
from mmkd_video.recognizers.clip_source import ClipSource, unaugmented_clips
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.deploy.export import export_student
from mmkd_video.workflows.deploy.student import StudentCheckpoint

pytestmark = pytest.mark.slow
FEW = ('--calibration', '4', '--validation', '4', '--clips', '6', '--max-drop', '1')


@pytest.fixture(scope='module')
def shipped(tmp_path_factory, tiny_clips):
    """An experiment whose student has weights, in ``student.pth``; ``result`` is what quantizing it gave."""
    from tiny_experiment import TinyExperiment

    experiment = TinyExperiment(tmp_path_factory.mktemp('shipped'), tiny_clips)
    torch.manual_seed(0)
    model = build_model(read_config(str(experiment.student)).model)
    torch.nn.init.normal_(model.cls_head.fc_cls.weight, std=1.0)
    experiment.student_checkpoint = experiment.folder / 'student.pth'
    torch.save(dict(meta={}, state_dict=model.state_dict()), experiment.student_checkpoint)
    export_student(
        read_config(str(experiment.student)), experiment.student_checkpoint, experiment.folder / 'a.xml', check=False
    )
    experiment.result = command.main([str(experiment.distill), str(experiment.student_checkpoint), *FEW])
    return experiment


def failed(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        command.main(list(map(str, arguments)))
    assert stop.value.code == 1
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_a_checkpoint_becomes_an_int8_file_beside_it(shipped):
    result = shipped.result
    assert result.path == shipped.folder / 'student_int8.xml'
    assert result.report.passed and result.report.precision == 'int8' and result.report.spread > 0.01, str(result)
    assert result.convolutions.quantized == result.convolutions.total == 5
    assert result.megabytes[1] < 0.5 * result.megabytes[0]


def test_metadata_are_those_of_the_float_file(shipped):
    before = load_exported(shipped.folder / 'a.xml').metadata
    after = load_exported(shipped.result.path).metadata
    assert after == dataclasses.replace(before, precision='int8')
    assert after.checkpoint_sha256 == hashlib.sha256(shipped.student_checkpoint.read_bytes()).hexdigest()


def test_an_exported_file_is_quantized_too(shipped, tmp_path, capsys):
    result = command.main([str(shipped.student), f'{shipped.folder}/a.xml', '--out', f'{tmp_path}/b.xml', *FEW])
    assert result.report.passed and result.report.reference == 'a.xml'
    assert result.convolutions == shipped.result.convolutions
    said = capsys.readouterr().out
    assert f'wrote {tmp_path}/b.xml (' in said and '5 of 5 convolutions run in int8' in said
    assert 'largest difference from a.xml' in said and 'same top-1' in said


def test_a_file_can_be_written_unchecked(shipped, tmp_path, capsys):
    path = tmp_path / 'b.xml'
    found = command.main([str(shipped.student), f'{shipped.folder}/a.xml', '--out', str(path), *FEW, '--no-check'])
    assert found.report is None and path.is_file()
    assert 'not compared with the float model (--no-check)' in capsys.readouterr().out


def test_an_int8_file_is_tested_as_any_other(shipped, tmp_path):
    metrics = test_command.main([str(shipped.distill), str(shipped.result.path), '--work-dir', str(tmp_path)])
    assert 0 <= metrics['acc/top1'] <= 1


def test_calibration_sees_training_clips_through_the_pipeline_of_the_test(shipped):
    config = read_config(str(shipped.distill))
    config.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=config.train_dataloader.dataset)
    found = unaugmented_clips(config, 100, 'train_dataloader')
    assert len(found) == NUM_CLIPS['train'] and found.dataset.test_mode
    assert [type(step).__name__ for step in found.dataset.pipeline.transforms][1] == 'SampleFrames'
    assert found.dataset.pipeline.transforms[1].test_mode
    assert (found[0] == found[0]).all() and found[0].shape == (4, 3, 32, 32)
    assert [clip.shape for clip in found[1:3]] == [(4, 3, 32, 32)] * 2 and len(found.labels) == 8


def test_labels_that_are_missing_are_known_as_missing(shipped):
    found = unaugmented_clips(read_config(str(shipped.student)), 4, 'val_dataloader')
    assert found.labels.tolist() == [found.dataset.get_data_info(i)['label'] for i in range(4)]
    found.dataset.get_data_info = lambda index: dict(label=[1, 2])
    assert found.labels is None


def trained_in_int8(shipped, config, checkpoint):
    """Save a checkpoint as ``QATHook`` does, with ranges that no calibration would find."""
    model = StudentCheckpoint.read(shipped.student_checkpoint).build(config)
    choose_operators('torch')
    clips = [torch.from_numpy(clip)[None] for clip in unaugmented_clips(config, 2, 'val_dataloader')]
    clips = [
        model.data_preprocessor(dict(inputs=[clip[0]], data_samples=[ActionDataSample()]))['inputs'] for clip in clips
    ]
    insert_quantizers(model, clips)
    with torch.no_grad():
        for parameter in quantizer_parameters(model):
            parameter.mul_(1.5)  # ranges that no calibration would find
    torch.save({'state_dict': model.state_dict(), QUANTIZATION_KEY: quantizer_state(model)}, checkpoint)
    return checkpoint


def wrong_everywhere(model, clips):
    return np.roll(classify(model, clips), 1, axis=1)


def test_a_checkpoint_trained_in_int8_keeps_its_ranges(shipped, tmp_path, capsys, monkeypatch):
    config = read_config(str(shipped.student))
    checkpoint = trained_in_int8(shipped, config, tmp_path / 'trained.pth')
    result = command.main([str(shipped.student), str(checkpoint), *FEW])
    assert result.path == tmp_path / 'trained_int8.xml' and result.report.passed, str(result)
    assert result.report.agreement == 1.0 and result.report.largest_difference < 0.05
    assert result.convolutions.quantized == result.convolutions.total == 5
    assert result.megabytes[1] < 0.5 * result.megabytes[0]
    monkeypatch.setattr(ClipSource, 'labels', None)
    monkeypatch.setattr(openvino_int8, 'classify_in_int8', wrong_everywhere)
    message = failed(capsys, shipped.student, checkpoint, '--out', tmp_path / 'b.xml', *FEW[:-1], '0')
    assert 'max_drop=0.0: the file loses ' in message and not (tmp_path / 'b.xml').exists()
    assert f'The best try is kept as {tmp_path}/b.failed.xml (top-1 100.00% before, 0.00% in int8)' in message
    kept = load_exported(tmp_path / 'b.failed.xml')
    assert kept.metadata == load_exported(result.path).metadata


def test_the_export_of_a_checkpoint_trained_in_int8_is_int8_where_it_can_be(shipped, tmp_path, capsys):
    config = read_config(str(shipped.student))
    checkpoint = trained_in_int8(shipped, config, tmp_path / 'trained.pth')
    report = export_student(config, checkpoint, tmp_path / 'a.xml', num_clips=6)
    said = capsys.readouterr().out
    assert (
        '5 of 5 convolutions run in int8' in said and 'top-1 on validation clips' in said and ' MB; in float ' in said
    )
    assert report.passed and report.precision == 'int8' and report.largest_difference < 0.05, str(report)
    exported = load_exported(tmp_path / 'a.xml', batch=1)
    assert exported.metadata.precision == 'int8'
    count = count_convolutions(exported.compiled)
    assert count.quantized == count.total == 5
    export_student(config, checkpoint, tmp_path / 'b.xml', precision='f32', check=False)
    assert load_exported(tmp_path / 'b.xml').metadata.precision == 'f32'
    export_student(config, checkpoint, tmp_path / 'a.onnx', check=False)
    assert 'this student was trained in int8; this file computes in float' in capsys.readouterr().out


@pytest.mark.parametrize('check', [True, False])
def test_an_int8_file_that_cannot_run_is_not_written(shipped, tmp_path, monkeypatch, check):
    def broken(*_):
        raise RuntimeError('OpenVINO cannot run it')

    config = read_config(str(shipped.student))
    checkpoint = trained_in_int8(shipped, config, tmp_path / 'trained.pth')
    monkeypatch.setattr(openvino_int8, 'classify_in_int8', broken)
    with pytest.raises(RuntimeError, match='OpenVINO cannot run it'):
        export_student(config, checkpoint, tmp_path / 'a.xml', num_clips=6, check=check)
    assert [path.name for path in tmp_path.iterdir()] == ['trained.pth']


def test_an_export_in_int8_that_loses_too_much_is_not_written(shipped, tmp_path, monkeypatch):
    config = read_config(str(shipped.student))
    checkpoint = trained_in_int8(shipped, config, tmp_path / 'trained.pth')
    monkeypatch.setattr(ClipSource, 'labels', None)
    monkeypatch.setattr(openvino_int8, 'classify_in_int8', wrong_everywhere)
    with pytest.raises(ValueError, match=r'max_drop=0\.01: the file loses 100.00% of top-1 .*quantize\.py --max-drop'):
        export_student(config, checkpoint, tmp_path / 'a.xml', num_clips=6)
    assert not (tmp_path / 'a.xml').exists() and (tmp_path / 'a.failed.bin').exists()
    assert export_student(config, checkpoint, tmp_path / 'a.xml', check=False) is None  # nothing to measure it on


def test_int8_that_cannot_be_exported_is_told(shipped, tmp_path):
    config = read_config(str(shipped.student))
    for source, name, options, message in (
        (shipped.student_checkpoint, 'c.xml', dict(precision='int8'), 'was not trained in int8; tools/quantize.py'),
        (trained_in_int8(shipped, config, tmp_path / 'trained.pth'), 'c.onnx', dict(precision='int8'), 'OpenVINO only'),
        (tmp_path / 'trained.pth', 'c.xml', dict(dynamic_clips=True), 'the number of clips is fixed in int8'),
    ):
        with pytest.raises(ValueError, match=message):
            export_student(config, source, tmp_path / name, check=False, **options)
        assert not (tmp_path / name).exists()


def test_failed_check_keeps_the_file_and_names_the_clip(shipped, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(PARITY_BOUNDS, 'int8', ParityBound(-1.0, 1.0))
    path = tmp_path / 'a.xml'
    message = failed(capsys, shipped.student, shipped.folder / 'a.xml', '--out', path, *FEW)
    assert 'does not say what the model says, worst on ' in message and '.mp4' in message
    assert path.is_file() and path.with_suffix('.bin').is_file()
    path.write_text('good')
    message = failed(capsys, shipped.student, shipped.folder / 'a.xml', '--out', path, *FEW, '--force')
    assert f'{tmp_path}/a.failed.xml does not say what the model says' in message
    names = sorted(each.name for each in tmp_path.iterdir())
    assert path.read_text() == 'good' and names == ['a.bin', 'a.failed.bin', 'a.failed.xml', 'a.xml']


def test_bad_input_is_one_line(shipped, tmp_path, capsys):
    empty = tmp_path / 'empty.txt'
    empty.touch()
    student, checkpoint, new = shipped.student, shipped.student_checkpoint, ('--out', tmp_path / 'new.xml')
    file = shipped.folder / 'a.xml'
    options = '--cfg-options'
    for arguments, message in (
        ((student, checkpoint), 'student_int8.bin exists; give another name, or --force'),
        ((student, checkpoint, '--out', tmp_path / 'a.onnx'), 'int8 is written for OpenVINO only'),
        ((student, tmp_path / 'none.pth', *new), "none.pth' does not exist"),
        ((student, tmp_path / 'none.xml', *new), "none.xml' does not exist"),
        ((student, shipped.result.path, *new), 'is quantized already'),
        ((shipped.teacher, file, *new), 'they do not belong together'),
        ((student, file, *new, options, 'model.cls_head.num_classes=5'), 'scores 8 classes'),
        ((student, file, *new, options, f'train_dataloader.dataset.ann_file={empty}'), 'empty'),
        ((student, file, *new, options, 'train_dataloader.dataset=None'), 'train_dataloader.dataset: got None'),
    ):
        found = failed(capsys, *arguments)
        assert found.startswith('error: ') and message in found, found
    assert not (tmp_path / 'new.xml').exists()


def test_missing_extra_names_the_command(shipped, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'nncf', None)
    found = failed(capsys, shipped.student, shipped.student_checkpoint, '--out', tmp_path / 'a.xml')
    assert "pip install 'mmkd_video[quant]'" in found
