"""Models in their runtimes, measured from the command line."""

import json
import os
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config

from dev import update_benchmarks
from mmkd_video.benchmark import Deployment, DeploymentReport, SideBySide, Timings
from mmkd_video.cli import benchmark
from mmkd_video.core.registry import EXPORT_BACKENDS, build_model
from mmkd_video.datasets import render_motion_clips
from mmkd_video.export import OpenVINOModel, export_backends, openvino_model
from mmkd_video.recognizers.complexity import measure_complexity
from mmkd_video.recognizers.real_clips import RealClips
from mmkd_video.workflows.measure import deploy, deploy_lines, deploy_runtimes
from mmkd_video.workflows.measure.deploy_candidates import Candidate
from mmkd_video.workflows.measure.deploy_models import MeasuredModels
from mmkd_video.workflows.measure.deploy_runtimes import all_runtimes, choose_runtimes, reason_against
from mmkd_video.workflows.measure.deploy_settings import settings_for
from mmkd_video.workflows.measure.deployment_memory import measure_file
from mmkd_video.workflows.measure.exported_file import ExportedFile

pytestmark = pytest.mark.usefixtures('quiet_machine')

STUDENT = 'configs/students/mobilenet_motion.py'
RUNTIMES = ['--runtimes', 'eager', 'onnxruntime', 'openvino']
CHEAP = ['--threads', '1', '--rounds', '2', '--max-rounds', '2', '--warmup', '0', '--batch-size', '2', '--clips', '6']


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
    monkeypatch.setattr('mmkd_video.workflows.measure.deploy.FOLDER', folder / 'exported')
    picture, out = str(folder / 'deploy.png'), str(folder / 'deploy.json')
    return benchmark.main(['deploy', *CHEAP, *arguments, '--picture', picture, '--out', out, '--force'])


@pytest.mark.slow
def test_every_model_in_every_runtime_is_measured_and_says_the_same(student, monkeypatch, capsys):
    model = ['--model', 'small', str(student / 'student.py'), str(student / 'student.pth')]
    report = run(student, monkeypatch, *model, *RUNTIMES, '--target-speedup', '0.0001', '--reference', 'small')
    assert [each.runtime for each in report.deployments] == ['eager', 'onnxruntime', 'openvino']
    assert len({each.accuracy for each in report.deployments}) == 1
    assert all(len(each.latencies) == 2 and each.memory > 1e6 for each in report.deployments)
    assert all(len(each.cpu) == len(each.two) == 2 for each in report.deployments)
    config = Config.fromfile(student / 'student.py')
    expected = measure_complexity(build_model(config.model).eval(), torch.zeros(8, 3, 48, 48))
    assert {(each.params, each.gflops) for each in report.deployments} == {expected}
    assert [row.verdict for row in report.targets] == ['not shown', None, 'met']  # two rounds show nothing
    assert [row.name for row in report.targets[:2]] == [
        'clips/s of small (eager) / small (openvino), 1 thread(s) each',
        'latency of small (openvino) / small (eager), 1 thread(s) each',
    ]
    assert report.targets[1].interval.low <= report.targets[1].value <= report.targets[1].interval.high
    saved = json.loads((student / 'deploy.json').read_text())
    assert len(saved['deployments']) == 3 and saved['facts']['command'].startswith('`python tools/benchmark.py deploy')
    assert (student / 'deploy.png').read_bytes().startswith(b'\x89PNG')
    (exported,) = (student / 'exported').glob('small_*.xml')
    file = ['--file', 'file', 'small', str(exported)]
    report = run(student, monkeypatch, *model, '--runtimes', 'eager', *file, '--no-memory')
    assert [(each.model, each.runtime) for each in report.deployments] == [('small', 'eager'), ('file', 'openvino')]
    assert report.deployments[1].file_bytes < 2 * report.deployments[0].file_bytes
    assert report.deployments[1].of == 'small'


@pytest.mark.slow
def test_clips_side_by_side_are_measured_where_there_are_several_threads(student, monkeypatch, capsys):
    model = ['--model', 'small', str(student / 'student.py'), str(student / 'student.pth')]
    monkeypatch.setattr(deploy_lines, 'CLIPS_PER_CALLER', 2)
    before = torch.get_num_threads()
    candidate = Candidate('small', *model[2:])
    file = candidate.exported(OpenVINOModel, student / 'given', np.zeros((1, 8, 3, 48, 48), np.uint8))
    files = ['--file', 'file', 'small', str(file)]
    report = run(student, monkeypatch, *model, *files, *RUNTIMES, '--no-memory', '--threads', '1', '2')
    assert [len(each.side_by_side) for each in report.deployments] == [0] * 4 + [2] * 4
    assert torch.get_num_threads() == before and 'measuring 2 clips side by side' in capsys.readouterr().out


@pytest.fixture
def own(student):
    """The same model with a config that imports a backend of a user's own, which is forgotten afterwards."""
    config = student / 'own.py'
    imports = "custom_imports = dict(imports=['torchscript_backend'], allow_failed_imports=False)"
    config.write_text(f"_base_ = 'student.py'\n{imports}\n")
    sys.modules.pop('torchscript_backend', None)
    yield ['--model', 'own', str(config), str(student / 'student.pth')]
    EXPORT_BACKENDS.module_dict.pop('TorchScriptModel', None)


def test_a_backend_that_a_config_imports_is_a_runtime_of_all_models(student, own, monkeypatch, capsys):
    report = run(student, monkeypatch, *own, '--runtimes', 'eager', 'torchscript', '--no-memory')
    assert [each.runtime for each in report.deployments] == ['eager', 'torchscript']
    assert report.deployments[0].accuracy == report.deployments[1].accuracy is not None
    (exported,) = (student / 'exported').glob('own_*.ts')
    assert report.deployments[1].file_bytes == exported.stat().st_size
    monkeypatch.setattr(deploy_runtimes, 'reason_against', lambda name: None if name == 'torchscript' else 'not now')
    assert choose_runtimes(None)[0] == ['torchscript']  # by default too


@pytest.mark.slow
def test_other_processes_know_it_too(student, own, monkeypatch):
    tests = Path(__file__).parents[2]
    monkeypatch.setenv('PYTHONPATH', f'{tests}{os.pathsep}{os.environ.get("PYTHONPATH", "")}')
    candidate, clip = Candidate('own', *own[2:]), np.zeros((1, 8, 3, 48, 48), np.uint8)
    assert candidate.settings is not None  # reads the config
    backend = export_backends()['torchscript']
    file = ExportedFile(backend, candidate.exported(backend, student / 'given', clip))
    models = MeasuredModels({}, dict(file=('own', file)), [])
    with SideBySide(1, 1, partial(deploy_lines._open_calls, models, dict(own=clip))) as side_by_side:
        side_by_side.run(('file', 'torchscript'))
    assert measure_file(file, 1, clip.shape) > 1e6


def test_a_runtime_that_nobody_registers_is_refused_before_anything_runs(student, monkeypatch, capsys):
    model = ['--model', 'small', str(student / 'student.py'), str(student / 'student.pth')]
    monkeypatch.setattr(deploy, 'real_clips', None)
    with pytest.raises(SystemExit) as stop:
        run(student, monkeypatch, *model, '--runtimes', 'eager', 'torchscript')
    assert stop.value.code == 1
    expected = "--runtimes: got 'torchscript'; expected one of eager, compile, onnxruntime, openvino, openvino bf16"
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--file', 'int8', 'big', 'x.xml'], "--file int8: got 'big' as its model; expected one of small"),
        (['--file', 'int8', 'small', 'x.xml'], '--file int8: x.xml does not exist'),
        (['--file', 'small', 'small', 'x.xml'], "the name 'small' is given twice"),
        (['--reference', 'big'], "--reference: got 'big'; expected one of small"),
        (['--int8', 'big'], "--int8: got 'big'; expected one of small"),
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
    for name in set(all_runtimes()) - {'eager'}:
        assert f'{name}: no {name} here' in report.facts['left out']
        assert f'{name} is left out: no {name} here' in said
    assert report.facts['a clip'].endswith('frames x height x width: 8 x 48 x 48')
    assert report.facts['accuracy'] == 'top-1 on 6 clips of test'


def test_runtimes_that_were_asked_for_are_not_left_out(monkeypatch):
    monkeypatch.setattr(deploy_runtimes, 'reason_against', lambda name: 'never')
    assert choose_runtimes(['compile', 'openvino bf16']) == (['compile', 'openvino bf16'], {})
    assert choose_runtimes(None) == ([], dict.fromkeys(all_runtimes(), 'never'))


@pytest.mark.parametrize(('able', 'reason'), [('FP32 BF16', None), ('FP32', 'this processor has no bf16 instructions')])
def test_bf16_needs_a_processor_that_has_it(monkeypatch, able, reason):
    core = SimpleNamespace(get_property=lambda *_: able.split())
    monkeypatch.setattr(openvino_model, 'import_extra', lambda *_: SimpleNamespace(Core=lambda: core))
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

    settings = settings_for(clips=6, batch_size=4)
    each = Deployment('a', 'eager', 1, [], [], 0)
    assert deploy_lines.accuracy(settings, says_its_value, data, each, []) == 4 / 5
    assert sizes == [4, 4]
    unlabelled = RealClips(clips, tuple('abcdef'), (-1,) * 6, ())
    assert deploy_lines.accuracy(settings, says_its_value, unlabelled, each, []) is None
    assert deploy._for_each_model(dict(a=data, b=data), deploy._labelled) == '5'


def test_the_clip_of_each_model_is_told():
    shapes = dict(teacher=(1, 3, 16, 48, 40), views=(10, 3, 16, 48, 40), student=(8, 3, 32, 32))
    data = {name: RealClips((np.zeros(shape, np.uint8),), ('',), (0,), ()) for name, shape in shapes.items()}
    expected = 'teacher 16 x 48 x 40, views 10 clips of 16 x 48 x 40, student 8 x 32 x 32'
    assert deploy._for_each_model(data, deploy._clip_size) == expected


def test_without_a_model_there_is_nothing_to_measure(capsys, tmp_path):
    with pytest.raises(SystemExit):
        benchmark.main(['deploy', '--out', str(tmp_path / 'a.json'), '--picture', str(tmp_path / 'a.png')])
    assert 'got no --model; give NAME CONFIG CHECKPOINT, or --random-weights' in capsys.readouterr().err


def test_models_with_random_weights_are_those_of_mmaction2_in_int8_too_by_default(monkeypatch):
    asked = []
    monkeypatch.setattr(
        deploy, 'random_models', lambda folder, models: asked.append(models) or [(*each, 'p') for each in models]
    )
    models, int8 = deploy.chosen_models([], [], random_weights=True)
    assert [name for name, *_ in models] == int8 == ['teacher', 'student']
    found = settings_for(random_weights=True)
    assert (found.rounds, found.batch_size, found.clips) == (10, 2, 0)
    _, int8 = deploy.chosen_models([('a', 'a.py', '-')], [], random_weights=True)
    found = settings_for(random_weights=True, rounds=3)
    assert asked[1] == [('a', 'a.py')] and (int8, found.rounds) == (['a'], 3)
    _, int8 = deploy.chosen_models([('a', 'a.py', 'a.pth')], [], random_weights=False)
    usual = settings_for()
    assert (usual.rounds, usual.max_rounds, usual.batch_size, usual.clips, int8) == (30, 100, 8, 1000, [])


def timings(cpu, wall=None, **more):
    return Timings(cpu if wall is None else wall, cpu, **more)


def test_wall_times_beside_other_load_or_spread_as_if_are_left_out():
    steady, spread = [1.0, 1.05] * 6, [1.0, 1.5, 2.0] * 4
    assert deploy_lines.wall_times(timings(steady)) == steady
    assert deploy_lines.wall_times(timings(steady, disturbed=True)) == []
    assert deploy_lines.wall_times(timings(steady, wall=spread)) == []
    assert deploy_lines.wall_times(timings([1.0], wall=[1.0])) == [1.0]


def test_rounds_are_added_until_every_ratio_to_the_first_line_is_told():
    settings = settings_for(rounds=6, max_rounds=9, warmup=0)
    rounds = deploy_lines._rounds(settings, 1, precise=True)
    assert (rounds.fewest, rounds.most) == (6, 9)
    first, steady, wide = [1.0] * 8, [2.0, 2.01] * 4, [2.0, 2.2] * 4
    assert rounds.enough(dict(a=timings(first), b=timings(steady, wall=wide)))  # with one thread, CPU time counts
    assert not rounds.enough(dict(a=timings(first), b=timings(steady), c=timings(wide)))
    several = deploy_lines._rounds(settings, 2, precise=True)
    assert not several.enough(dict(a=timings(first), b=timings(steady, wall=wide)))
    assert deploy_lines._rounds(settings, 1, precise=False).most == 6


@pytest.mark.slow
def test_a_model_runs_in_int8_in_a_file_that_is_made_once(student, monkeypatch, capsys):
    model = ['--model', 'small', str(student / 'student.py'), str(student / 'student.pth')]
    given = [*model, '--runtimes', 'openvino', '--int8', 'small', '--calibration', '4', '--no-memory', '--clips', '0']
    report = run(student, monkeypatch, *given, '--max-drop', '1')
    assert [each.runtime for each in report.deployments] == ['openvino', 'openvino int8']
    assert 'convolutions' in capsys.readouterr().out
    assert report.deployments[1].file_bytes < report.deployments[0].file_bytes
    assert report.facts['openvino int8'] == 'small: calibrated on 4 training clips'
    run(student, monkeypatch, *given, '--max-drop', '1')
    assert 'convolutions' not in capsys.readouterr().out
    run(student, monkeypatch, *given, '--max-drop', '0.9')
    assert 'convolutions' in capsys.readouterr().out  # what may be lost decides which layers stay in float


@pytest.mark.parametrize(('random', 'name'), [(True, 'random_weights'), (False, 'deploy')])
def test_models_with_random_weights_have_a_record_of_their_own(tmp_path, monkeypatch, capsys, random, name):
    report = DeploymentReport('Models', [Deployment('a', 'eager', 1, [0.1], [10.0], 5)])
    monkeypatch.setattr('mmkd_video.cli.benchmark_deploy.benchmark_deploy', lambda *_, **__: report)
    out, page = tmp_path / 'saved' / 'out.json', tmp_path / 'docs' / 'page.md'
    benchmark.main(['deploy', *(['--random-weights'] if random else []), '--out', str(out)])
    page.parent.mkdir()
    kind = name.replace('_', ' ')
    page.write_text(f'<!-- begin benchmark {kind} -->\n<!-- end benchmark {kind} -->\n')
    update_benchmarks.main([str(out), '--page', str(page)])
    assert {path.name for path in page.parent.iterdir()} == {f'{name}.json', 'page.md'}
    assert DeploymentReport.from_dict(json.loads((page.parent / f'{name}.json').read_text())) == report
    assert report.as_markdown() in page.read_text()
