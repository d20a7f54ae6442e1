"""Models in their runtimes, measured from the command line."""

import argparse
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmkd_video.benchmark import Deployment
from mmkd_video.cli import benchmark, benchmark_deploy, deploy_runtimes
from mmkd_video.cli.complexity import measure_complexity
from mmkd_video.cli.deploy_candidates import RUNTIMES as ALL
from mmkd_video.cli.deploy_candidates import Candidate
from mmkd_video.cli.deploy_runtimes import choose_runtimes, reason_against
from mmkd_video.cli.real_clips import RealClips
from mmkd_video.datasets import render_motion_clips
from mmkd_video.registry import build_model

pytestmark = pytest.mark.usefixtures('quiet_machine')

STUDENT = 'configs/students/mobilenet_motion.py'
RUNTIMES = ['--runtimes', 'eager', 'onnxruntime', 'openvino']
CHEAP = ['--threads', '1', '--rounds', '2', '--warmup', '0', '--batch-size', '2', '--clips', '6']


@pytest.fixture(scope='module')
def student(tmp_path_factory):
    """An untrained narrow student of a few rendered clips: a folder with its config and checkpoint."""
    folder = tmp_path_factory.mktemp('deploy')
    render_motion_clips(folder / 'clips', num_clips=dict(train=8, val=8, test=8), workers=1)
    config = Config.fromfile(STUDENT)
    config.model.backbone.widen_factor = 0.25
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        config[loader].dataset.data_root = str(folder / 'clips')
    config.dump(folder / 'student.py')
    torch.save(dict(state_dict=build_model(config.model).state_dict()), folder / 'student.pth')
    return folder


def run(folder, monkeypatch, *arguments):
    monkeypatch.setattr('mmkd_video.cli.benchmark_deploy.FOLDER', folder / 'exported')
    picture, out = str(folder / 'deploy.png'), str(folder / 'deploy.json')
    return benchmark.main(['deploy', *CHEAP, *arguments, '--picture', picture, '--out', out, '--force'])


@pytest.mark.slow
def test_every_model_in_every_runtime_is_measured_and_says_the_same(student, monkeypatch, capsys):
    model = ['--model', 'small', str(student / 'student.py'), str(student / 'student.pth')]
    report = run(student, monkeypatch, *model, *RUNTIMES, '--target-speedup', '0.0001', '--reference', 'small')
    assert [each.runtime for each in report.deployments] == ['eager', 'onnxruntime', 'openvino']
    assert len({each.accuracy for each in report.deployments}) == 1
    assert all(len(each.latencies) == 2 and each.memory > 1e6 for each in report.deployments)
    config = Config.fromfile(student / 'student.py')
    expected = measure_complexity(build_model(config.model).eval(), torch.zeros(8, 3, 48, 48))
    assert {(each.params, each.gflops) for each in report.deployments} == {expected}
    assert [row.met for row in report.targets] == [True, None, True]
    assert [row.name for row in report.targets[:2]] == [
        'clips/s of small (eager) / small (openvino), 1 thread(s) each',
        'latency of small (openvino) / small (eager), 1 thread(s) each',
    ]
    assert report.targets[1].value == pytest.approx(report.deployments[-1].latency / report.deployments[0].latency)
    saved = json.loads((student / 'deploy.json').read_text())
    assert len(saved['deployments']) == 3 and saved['facts']['command'].startswith('`python tools/benchmark.py deploy')
    assert (student / 'deploy.png').read_bytes().startswith(b'\x89PNG')
    (exported,) = (student / 'exported').glob('small_*.xml')
    file = ['--file', 'file', 'small', str(exported)]
    report = run(student, monkeypatch, *model, '--runtimes', 'eager', *file, '--no-memory')
    assert [(each.model, each.runtime) for each in report.deployments] == [('small', 'eager'), ('file', 'openvino')]
    assert report.deployments[1].file_bytes < 2 * report.deployments[0].file_bytes


@pytest.mark.slow
def test_clips_side_by_side_are_measured_where_there_are_several_threads(student, monkeypatch, capsys):
    model = ['--model', 'small', str(student / 'student.py'), str(student / 'student.pth')]
    monkeypatch.setattr(benchmark_deploy, 'EACH', 2)
    before = torch.get_num_threads()
    candidate = Candidate('small', *model[2:])
    file = candidate.exported('.xml', student / 'given', np.zeros((1, 8, 3, 48, 48), np.uint8))
    files = ['--file', 'file', 'small', str(file)]
    report = run(student, monkeypatch, *model, *files, *RUNTIMES, '--no-memory', '--threads', '1', '2')
    assert [len(each.side_by_side) for each in report.deployments] == [0] * 4 + [2] * 4
    assert torch.get_num_threads() == before and 'measuring 2 clips side by side' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--file', 'int8', 'big', 'x.xml'], "--file int8: got 'big' as its model; expected one of small"),
        (['--file', 'int8', 'small', 'x.xml'], '--file int8: x.xml does not exist'),
        (['--file', 'small', 'small', 'x.xml'], "the name 'small' is given twice"),
        (['--reference', 'big'], "--reference: got 'big'; expected one of small"),
    ],
)
def test_wrong_names_are_refused_before_anything_runs(student, monkeypatch, capsys, arguments, message):
    model = ['--model', 'small', str(student / 'student.py'), str(student / 'student.pth')]
    with pytest.raises(SystemExit) as stop:
        run(student, monkeypatch, *model, *arguments)
    assert stop.value.code == 1
    assert message in capsys.readouterr().err


def test_a_missing_checkpoint_is_named(student, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(student, monkeypatch, '--model', 'small', str(student / 'student.py'), 'nowhere.pth')
    assert "checkpoint 'nowhere.pth' does not exist" in capsys.readouterr().err


def test_runtimes_that_cannot_run_here_are_left_out_and_told(student, monkeypatch, capsys):
    monkeypatch.setattr(deploy_runtimes, 'reason_against', lambda name: None if name == 'eager' else f'no {name} here')
    model = ['--model', 'small', str(student / 'student.py'), str(student / 'student.pth')]
    report = run(student, monkeypatch, *model, '--no-memory')
    assert [each.runtime for each in report.deployments] == ['eager']
    said = capsys.readouterr().out
    for name in set(ALL) - {'eager'}:
        assert f'{name}: no {name} here' in report.facts['left out']
        assert f'{name} is left out: no {name} here' in said
    assert report.facts['a clip'].endswith('frames x height x width: 8 x 48 x 48')
    assert report.facts['accuracy'] == 'top-1 on 6 clips of test'


def test_runtimes_that_were_asked_for_are_not_left_out(monkeypatch):
    monkeypatch.setattr(deploy_runtimes, 'reason_against', lambda name: 'never')
    assert choose_runtimes(['compile', 'openvino bf16']) == (['compile', 'openvino bf16'], {})
    assert choose_runtimes(None) == ([], dict.fromkeys(ALL, 'never'))


@pytest.mark.parametrize(('able', 'reason'), [('FP32 BF16', None), ('FP32', 'this processor has no bf16 instructions')])
def test_bf16_needs_a_processor_that_has_it(monkeypatch, able, reason):
    core = SimpleNamespace(get_property=lambda *_: able.split())
    monkeypatch.setattr(deploy_runtimes, 'import_extra', lambda *_: SimpleNamespace(Core=lambda: core))
    assert reason_against('openvino bf16') == reason
    assert reason_against('openvino') is None


def test_compiling_needs_a_compiler(monkeypatch):
    monkeypatch.setattr(torch._inductor.config, 'force_disable_caches', True)
    monkeypatch.setattr(torch._inductor.config.cpp, 'cxx', ('no-such-compiler',))
    torch._dynamo.reset()
    assert reason_against('compile').startswith('torch.compile needs a C++ compiler (')
    torch._dynamo.reset()


def test_accuracy_is_of_all_clips_with_a_label_and_of_no_others():
    clips = tuple(np.full((1, 1, 2, 2), value, np.uint8) for value in (0, 1, 2, 1, 0, 2))
    data = RealClips(clips, tuple('abcdef'), (0, 1, -1, 1, 2, 2), ())
    sizes = []

    def says_its_value(batch):
        sizes.append(len(batch))
        return np.eye(3)[batch[:, 0, 0, 0, 0]]

    options = argparse.Namespace(clips=6, batch_size=4)
    each = Deployment('a', 'eager', 1, [], [], 0)
    assert benchmark_deploy._accuracy(options, says_its_value, data, each, []) == 4 / 5
    assert sizes == [4, 4]
    unlabelled = RealClips(clips, tuple('abcdef'), (-1,) * 6, ())
    assert benchmark_deploy._accuracy(options, says_its_value, unlabelled, each, []) is None
    assert benchmark_deploy._each(dict(a=data, b=data), benchmark_deploy._labelled) == '5'


def test_the_clip_of_each_model_is_told():
    shapes = dict(teacher=(1, 3, 16, 48, 40), views=(10, 3, 16, 48, 40), student=(8, 3, 32, 32))
    data = {name: RealClips((np.zeros(shape, np.uint8),), ('',), (0,), ()) for name, shape in shapes.items()}
    expected = 'teacher 16 x 48 x 40, views 10 clips of 16 x 48 x 40, student 8 x 32 x 32'
    assert benchmark_deploy._each(data, benchmark_deploy._clip_size) == expected
