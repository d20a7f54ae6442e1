import hashlib
import json
import os
import sys

import numpy as np
import pytest
import torch
from tiny_experiment import NUM_CLIPS

from mmkd_video.cli import export as export_command
from mmkd_video.cli import test as test_command
from mmkd_video.core.registry import EXPORT_BACKENDS, build_model
from mmkd_video.datasets.motion_clips import CLASSES
from mmkd_video.export import PARITY_BOUNDS, ParityBound, load_exported
from mmkd_video.pruning import prune
from mmkd_video.recognizers.class_names import class_names
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.deploy.student import StudentCheckpoint, model_parts

for package in ('onnx', 'onnxscript', 'onnxruntime', 'openvino'):
    pytest.importorskip(package)


@pytest.fixture(scope='module')
def shipped(tmp_path_factory, tiny_clips):
    """An experiment whose student has weights, in ``student.pth``, and is exported as ``student.onnx`` and ``.xml``."""
    from tiny_experiment import TinyExperiment

    experiment = TinyExperiment(tmp_path_factory.mktemp('shipped'), tiny_clips)
    torch.manual_seed(0)
    model = build_model(read_config(str(experiment.student)).model)
    torch.nn.init.normal_(model.cls_head.fc_cls.weight, std=1.0)
    experiment.student_checkpoint = experiment.folder / 'student.pth'
    torch.save(dict(meta={}, state_dict=model.state_dict()), experiment.student_checkpoint)
    experiment.parameters = sum(parameter.numel() for parameter in model.parameters())
    experiment.reports = {form: export(experiment, '--format', form, '--clips', 6) for form in ('onnx', 'openvino')}
    return experiment


def export(experiment, *arguments, config='distill'):
    config = getattr(experiment, config)
    return export_command.main([str(config), str(experiment.student_checkpoint), *map(str, arguments)])


def failed(capsys, command, *arguments):
    """Run a command that is to fail; return its last line."""
    with pytest.raises(SystemExit) as stop:
        command.main(list(map(str, arguments)))
    assert stop.value.code == 1
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_files_lie_beside_the_checkpoint_and_equal_pytorch(shipped):
    for report in shipped.reports.values():
        assert report.passed and report.clips == 6 and report.spread > 0.01, str(report)
    names = {path.name for path in shipped.folder.iterdir() if path.stem == 'student'}
    assert names == {'student.py', 'student.pth', 'student.onnx', 'student.xml', 'student.bin'}


def test_metadata_say_where_it_comes_from(shipped):
    found = load_exported(shipped.folder / 'student.xml').metadata
    assert found.classes == tuple(CLASSES)
    assert found.checkpoint_sha256 == hashlib.sha256(shipped.student_checkpoint.read_bytes()).hexdigest()
    assert (found.shape, found.frames, found.interval, found.batch) == ((4, 3, 32, 32), 4, None, 1)
    assert found.channel_order == 'RGB' and 'counted from 0, is this picture of a video of n pictures' in found.sampling
    assert [step['type'] for step in found.pipeline][:2] == ['DecordInit', 'SampleFrames']


def test_size_and_parity_are_printed(shipped, tmp_path, capsys):
    export(shipped, '--out', tmp_path / 'a.onnx', '--clips', 2, config='student')
    said = capsys.readouterr().out
    assert f'wrote {tmp_path}/a.onnx (' in said and 'MB)' in said
    assert 'same top-1' in said and 'parity' in said and 'passed' in said


def test_the_number_of_clips_may_vary(shipped, tmp_path, capsys):
    for name in ('a.onnx', 'a.xml'):
        arguments = ['--out', str(tmp_path / name), '--clips', '4', '--dynamic-clips']
        report = export_command.main([str(shipped.student), str(shipped.student_checkpoint), *arguments])
        assert report.passed and report.clips == 8, str(report)
        exported = load_exported(tmp_path / name)
        assert exported.metadata.dynamic_clips
        assert exported(np.zeros((1, 12, 3, 32, 32), np.uint8)).shape == (1, 8)


@pytest.mark.parametrize('name', ['a.onnx', 'a.xml'])
def test_the_batch_is_one_unless_another_is_asked_for(shipped, tmp_path, capsys, name):
    for asked, expected in (((), 1), (('--batch', '3'), 3), (('--batch', 'dynamic'), None)):
        export(shipped, '--out', tmp_path / name, '--shape', 4, 3, 32, 32, '--no-check', '--force', *asked)
        assert load_exported(tmp_path / name).metadata.batch == expected
    for wrong in ('0', '-1', 'any'):
        with pytest.raises(SystemExit) as stop:
            export(shipped, '--out', tmp_path / name, '--force', '--batch', wrong)
        assert stop.value.code == 2 and "expected a number of at least 1, or 'dynamic'" in capsys.readouterr().err


def test_failed_check_keeps_the_file_and_names_the_clip(shipped, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(PARITY_BOUNDS, 'f32', ParityBound(-1.0, 1.0))
    path = tmp_path / 'a.onnx'
    message = failed(capsys, export_command, shipped.student, shipped.student_checkpoint, '--out', path)
    assert 'does not say what the model says, worst on ' in message and '.mp4' in message
    assert path.is_file()
    path.write_text('good')
    for _ in range(2):
        message = failed(capsys, export_command, shipped.student, shipped.student_checkpoint, '--out', path, '--force')
        assert f'{tmp_path}/a.failed.onnx does not say what the model says' in message
        assert path.read_text() == 'good' and sorted(os.listdir(tmp_path)) == ['a.failed.onnx', 'a.onnx']


def test_a_backend_that_a_config_imports_is_exported_to_and_tested(shipped, tmp_path, capsys):
    config = tmp_path / 'own.py'
    imports = "custom_imports = dict(imports=['torchscript_backend'], allow_failed_imports=False)"
    config.write_text(f'{shipped.student.read_text()}\n{imports}\n')
    arguments = [str(config), str(shipped.student_checkpoint), '--out', str(tmp_path / 'a.ts'), '--clips', '4']
    sys.modules.pop('torchscript_backend', None)
    try:
        report = export_command.main([*arguments, '--format', 'torchscript'])
        assert report.passed and report.backend == 'torchscript', str(report)
        assert failed(capsys, export_command, *arguments[:2], '--format', 'torchscript', '--precision', 'bf16') == (
            'error: --precision bf16: TorchScript has f32; choose one of these'
        )
        work = ['--work-dir', str(tmp_path / 'work')]
        found = [test_command.main([str(config), str(path), *work]) for path in (tmp_path / 'a.ts', arguments[1])]
        assert found[0] == found[1]
    finally:
        EXPORT_BACKENDS.module_dict.pop('TorchScriptModel')


def test_every_way_of_testing_gives_the_same_numbers(shipped, tmp_path):
    path = tmp_path / 'report.json'
    with_hook = tmp_path / 'with_hook.py'  # an average of parameters; a file has none
    with_hook.write_text(shipped.student.read_text() + "custom_hooks = [dict(type='EMAHook')]\n")
    found = {}
    for name, more in (
        ('student.pth', []),
        ('student.onnx', ['--report', str(path)]),
        ('student.onnx', ['--backend', 'openvino']),
        ('student.xml', ['--threads', '1', '--precision', 'f32']),
        ('student.xml', []),
    ):
        config = shipped.distill if name == 'student.pth' or more else with_hook
        arguments = [str(config), str(shipped.folder / name), '--work-dir', str(tmp_path / 'work'), *more]
        found[(name, *more)] = test_command.main(arguments)
    first = next(iter(found.values()))
    assert {'acc/top1', 'acc/top5', 'acc/mean1', 'report/precision', 'report/recall', 'report/f1'} <= set(first)
    assert first['report/top1'] == first['acc/top1']
    assert first['report/mean_class_accuracy'] == pytest.approx(first['acc/mean1'])
    assert all(metrics == first for metrics in found.values())
    written = json.loads(path.read_text())
    assert written['classes'] == list(CLASSES)
    assert sum(map(sum, written['confusion_matrix'])) == NUM_CLIPS['test']


def test_export_without_the_data_set(shipped, tmp_path, capsys, monkeypatch):
    settings = ['--cfg-options', 'test_dataloader.dataset.ann_file=missing.txt']
    options = ['--out', tmp_path / 'a.onnx', '--shape', 4, 3, 32, 32]
    arguments = [shipped.student, shipped.student_checkpoint, *options]
    assert 'missing.txt' in failed(capsys, export_command, *arguments[:-5], *settings)
    monkeypatch.setattr(StudentCheckpoint, 'read', None)  # these mistakes are told before anything is read
    assert 'add --no-check' in failed(capsys, export_command, *arguments, *settings)
    wrong = [*arguments[:-2], 64, 64, '--no-check', *settings]
    assert failed(capsys, export_command, *wrong) == (
        'error: --shape: got 4 3 64 64, but the test pipeline, which is stored in the file, leaves 4 3 32 32; '
        'give that shape, or change that pipeline'
    )
    for sizes in ([8, 3, 32, 32], [4, 1, 32, 32], [4, 3, 2, 32, 32], [4, 3]):
        wrong = [*arguments[:-4], *sizes, '--no-check', *settings]
        said = failed(capsys, export_command, *wrong)
        assert said.startswith(f'error: --shape: got {" ".join(map(str, sizes))}, but the test pipeline')
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    assert export(shipped, *options, '--no-check', *settings) is None
    assert load_exported(tmp_path / 'a.onnx').metadata.shape == (4, 3, 32, 32)


def test_bad_input_of_an_export_is_one_line(shipped, tmp_path, capsys):
    other = tmp_path / 'other.pth'
    torch.save(dict(state_dict={'backbone.x': torch.zeros(2)}), other)
    empty = tmp_path / 'empty.txt'
    empty.touch()
    student, checkpoint = shipped.student, shipped.student_checkpoint
    new = ('--out', tmp_path / 'a.onnx')
    for arguments, message in (
        ((student, checkpoint), 'student.onnx exists; give another name, or --force'),
        ((student, checkpoint, '--format', 'openvino'), 'student.xml and '),
        ((student, checkpoint, '--format', 'openvino', *new), 'expected one that ends in .xml'),
        ((student, checkpoint, '--precision', 'bf16', *new), 'ONNX Runtime computes no bf16'),
        ((student, tmp_path / 'none.pth', *new), "none.pth' does not exist"),
        ((student, other, *new), 'does not belong to'),
        ((student, empty, *new), 'empty.txt cannot be read ('),
        ((shipped.teacher, checkpoint, *new), 'does not belong to'),
        ((tmp_path / 'none.py', checkpoint, *new), 'none.py'),
        ((student, checkpoint, *new, '--cfg-options', f'test_dataloader.dataset.ann_file={empty}'), 'empty'),
        ((student, checkpoint, *new, '--cfg-options', 'classes=[a,b]'), 'holds 2 names, but the model has 8 classes'),
    ):
        found = failed(capsys, export_command, *arguments)
        assert found.startswith('error: ') and message in found, found
    assert not (tmp_path / 'a.onnx').exists()


@pytest.mark.parametrize('missing, extra', [('onnxscript', 'onnx'), ('openvino', 'openvino')])
def test_missing_extra_names_the_command(shipped, tmp_path, capsys, monkeypatch, missing, extra):
    monkeypatch.setitem(sys.modules, missing, None)
    path = tmp_path / ('a.xml' if extra == 'openvino' else 'a.onnx')
    found = failed(capsys, export_command, shipped.student, shipped.student_checkpoint, '--out', path)
    assert f"pip install 'mmkd_video[{extra}]'" in found


def test_files_that_do_not_belong_to_the_config_are_refused(shipped, tmp_path, capsys):
    work = ('--work-dir', tmp_path)
    onnx, checkpoint = shipped.folder / 'student.onnx', shipped.student_checkpoint
    (tmp_path / 'report.json').touch()
    for arguments, message in (
        ((shipped.teacher, onnx), 'was exported from Recognizer2D/ResNet/TSNHead, the config builds Recognizer3D/'),
        ((shipped.student, onnx, '--cfg-options', 'model.cls_head.num_classes=5'), 'scores 8 classes, the config 5'),
        ((shipped.student, onnx, '--backend', 'pytorch'), 'pytorch runs checkpoints'),
        ((shipped.student, checkpoint, '--backend', 'openvino'), 'run exported files (.onnx, .xml)'),
        ((shipped.student, onnx, '--precision', 'int8'), 'is not quantized'),
        ((shipped.student, onnx, '--launcher', 'pytorch'), 'tested in one process'),
        ((shipped.student, onnx, '--report', tmp_path / 'report.json'), 'report.json exists'),
        ((shipped.student, shipped.folder / 'no.onnx'), 'no.onnx'),
    ):
        found = failed(capsys, test_command, *arguments, *work)
        assert found.startswith('error: ') and message in found, found


def test_clips_that_the_file_does_not_take_are_one_line(shipped, tmp_path, capsys):
    config = tmp_path / 'small.py'
    config.write_text(shipped.student.read_text().replace('scale=(32, 32)', 'scale=(24, 24)'))
    found = failed(capsys, test_command, config, shipped.folder / 'student.onnx', '--work-dir', tmp_path)
    assert 'takes clips (N, 4, 3, 32, 32)' in found and 'got (4, 4, 3, 24, 24)' in found


def test_pruned_checkpoint_needs_no_other_config(shipped, tmp_path):
    pytest.importorskip('torch_pruning')
    model = StudentCheckpoint.read(shipped.student_checkpoint).build(read_config(str(shipped.student)))
    history = prune(model, torch.rand(1, 4, 3, 32, 32), dict(params=0.7))
    checkpoint = tmp_path / 'pruned.pth'
    torch.save(dict(meta={}, state_dict=model.state_dict(), pruning=history.to_json()), checkpoint)
    config = tmp_path / 'pruned.py'
    config.write_text(
        shipped.student.read_text()
        + f"""
model = dict(type='PrunedRecognizer', recognizer=model, history={str(checkpoint)!r})
"""
    )
    for source in (shipped.distill, config):
        found = StudentCheckpoint.read(checkpoint).build(read_config(str(source)))
        assert sum(p.numel() for p in found.parameters()) < 0.75 * shipped.parameters
        assert all(torch.equal(value, found.state_dict()[key]) for key, value in model.state_dict().items())
    assert export_command.main([str(config), str(checkpoint), '--format', 'openvino', '--clips', '4']).passed
    work = ('--work-dir', str(tmp_path))
    both = [test_command.main([str(config), str(tmp_path / name), *work]) for name in ('pruned.pth', 'pruned.xml')]
    assert both[0] == both[1]


def test_student_of_either_config_is_the_same(shipped):
    models = [
        StudentCheckpoint.read(shipped.student_checkpoint).build(read_config(str(path)))
        for path in (shipped.student, shipped.distill)
    ]
    states = [model.state_dict() for model in models]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not models[0].training


def test_names_of_classes(shipped, tmp_path):
    config = read_config(str(shipped.student))
    assert class_names(config, 8) == tuple(CLASSES)
    assert class_names(config, 5) is None  # the file beside the clips is for others
    (tmp_path / 'map.txt').write_text('walk\nrun\n')
    config.label_map = str(tmp_path / 'map.txt')
    assert class_names(config, 2) == ('walk', 'run')
    config.test_dataloader.dataset.metainfo = dict(classes=['x', 'y', 'z'])
    assert class_names(config, 3) == ('x', 'y', 'z')
    config.classes = ['only']
    assert class_names(config, 1) == ('only',)
    with pytest.raises(ValueError, match='classes holds 1 names, but the model has 8'):
        class_names(config, 8)


def test_parts_of_a_model_that_holds_another():
    inner = dict(
        type='mmaction.Recognizer2D', backbone=dict(type='ResNet'), cls_head=dict(type='TSNHead', num_classes=3)
    )
    for model in (inner, dict(type='Wrapped', model=inner)):
        assert model_parts(model) == ('Recognizer2D/ResNet/TSNHead', 3)
    assert model_parts(dict(type='Other')) == ('', None)
