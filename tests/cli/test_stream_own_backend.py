"""A stream through a backend of a user's own, which a module named on the command line registers."""

import json
import sys

import pytest
import torch
from clips import encode
from streams import TinyRecognizer, metadata_for

from mmkd_video.cli import benchmark
from mmkd_video.cli.stream import main
from mmkd_video.core.registry import EXPORT_BACKENDS

IMPORTED = ['--custom-imports', 'torchscript_backend']


@pytest.fixture
def model(tmp_path):
    """Return a file of that backend, which nobody has registered yet."""
    sys.modules.pop('torchscript_backend', None)
    from torchscript_backend import TorchScriptModel

    torch.manual_seed(0)
    recognizer = TinyRecognizer('NCTHW')
    metadata, clips = metadata_for(recognizer, tmp_path)
    path = TorchScriptModel.export(recognizer, tmp_path / 'tiny.ts', clips, metadata)
    EXPORT_BACKENDS.module_dict.pop('TorchScriptModel')
    sys.modules.pop('torchscript_backend')
    yield str(path)
    EXPORT_BACKENDS.module_dict.pop('TorchScriptModel', None)


@pytest.fixture
def video(tmp_path):
    (tmp_path / 'videos').mkdir()
    encode(tmp_path / 'videos' / 'a.mp4', 1, frames=40)
    return str(tmp_path / 'videos' / 'a.mp4')


def test_a_video_is_classified(model, video, capsys):
    assert main([video, '--model', model, '--hop', '10', *IMPORTED]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line['frames'] for line in lines] == [[0, 14], [10, 24], [20, 34]]
    assert main([video, '--model', model, '--hop', '10', '--backend', 'torchscript', *IMPORTED]) == 0
    assert [json.loads(line)['top'] for line in capsys.readouterr().out.splitlines()] == [each['top'] for each in lines]


def test_so_is_a_folder(model, video, tmp_path, capsys):
    out = tmp_path / 'out'
    assert main([str(tmp_path / 'videos'), '--model', model, '--out', str(out), *IMPORTED]) == 0
    settings = json.loads((out / 'settings.json').read_text())
    assert (settings['model'], settings['backend']) == ('tiny.ts', 'torchscript')


def test_without_the_module_it_is_not_known(model, video, capsys):
    for arguments, message in (
        ([], "tiny.ts'; expected a file that ends in .onnx or .xml"),
        (['--backend', 'torchscript'], "backend: got 'torchscript', expected one of onnxruntime, openvino"),
        (['--custom-imports', 'torch_script'], "--custom-imports: 'torch_script' cannot be imported (No module named"),
    ):
        with pytest.raises(SystemExit) as stop:
            main([video, '--model', model, *arguments])
        assert stop.value.code == 1
        assert message in capsys.readouterr().err


@pytest.mark.usefixtures('quiet_machine')
def test_the_stream_is_measured_beside_its_stages(model, tmp_path, capsys):
    short = ['--frames', '40', '--rounds', '1', '--max-rounds', '1', '--warmup', '0', '--hop', '16']
    report = benchmark.main(['stream', '--model', model, *IMPORTED, *short, '--out', str(tmp_path / 'out.json')])
    assert 'torchscript f32' in report.facts['model']
