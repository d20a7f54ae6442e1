"""The whole way in one command."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from tiny_experiment import TOOLS

from mmkd_video.benchmark import Deployment, DeploymentReport
from mmkd_video.cli import compress as command
from mmkd_video.core.registry import build_model
from mmkd_video.quantization import QUANTIZATION_KEY
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.compress import tools
from mmkd_video.workflows.compress.compress import compress, pruning_config
from mmkd_video.workflows.compress.settings import read_settings
from mmkd_video.workflows.compress.stage import Stage, as_arguments
from mmkd_video.workflows.compress.work import CompressionWork

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = str(ROOT / 'configs/compress/i3d_to_mobilenet.py')
BLOCK = """
_base_ = 'distill.py'
train_cfg = dict(max_epochs=24, val_interval=24)
compress = dict(
    prune=dict(
        hook=dict(target=dict(params=0.7), criterion='magnitude', begin=0),
        config=dict(train_cfg=dict(max_epochs=6)),
    ),
    export=dict(clips=4),
    # So small models are undecided, and int8 changes their minds.
    quantize=dict(calibration=8, max_drop=1, no_check=True),
    benchmark=dict(runtimes=['eager', 'openvino'], rounds=1, max_rounds=1, warmup=0, batch_size=2, threads=[1], clips=4,
                   max_drop=1, no_memory=True),
)
"""


class Tool:
    """Copies its source, as tools do: no existing file is replaced without ``force``."""

    def __init__(self):
        self.calls = []

    def __call__(self, source, out, fast=False, force=False):
        self.calls.append(dict(out=out, fast=fast, force=force))
        if Path(out).exists() and not force:
            raise FileExistsError(f'{out} exists')
        Path(out).write_text(Path(source).read_text())


@pytest.fixture
def stage(tmp_path):
    """Return what makes a stage ``a.txt`` -> ``b.txt``, and its tool."""
    (tmp_path / 'a.txt').write_text('1')
    tool = Tool()

    def make(**more):
        source, target = tmp_path / 'a.txt', tmp_path / 'b.txt'
        return Stage('copy', 'tools/copy.py', tool, [str(source)], dict(out=str(target), **more), [source], [target])

    return make, tool


def test_a_finished_stage_is_not_done_again(stage, tmp_path):
    make, tool = stage
    assert make().run(tmp_path) is True
    assert make().run(tmp_path) is False
    assert len(tool.calls) == 1
    (tmp_path / 'b.txt').unlink()  # unless what it made is gone
    assert make().run(tmp_path) is True


@pytest.mark.parametrize('changed', ['input', 'arguments'])
def test_a_stage_of_other_settings_or_files_is_kept_unless_forced(stage, tmp_path, changed):
    make, tool = stage
    make().run(tmp_path)
    (tmp_path / 'a.txt').write_text('2' if changed == 'input' else '1')
    later = make(**(dict(fast=True) if changed == 'arguments' else {}))
    with pytest.raises(FileExistsError, match="holds the stage 'copy' of other settings or files .*--force"):
        later.run(tmp_path)
    assert (tmp_path / 'b.txt').read_text() == '1'
    assert later.run(tmp_path, force=True) is True
    assert (tmp_path / 'b.txt').read_text() == (tmp_path / 'a.txt').read_text()


def test_an_interrupted_stage_replaces_what_it_left(stage, tmp_path):
    make, tool = stage
    make().run(tmp_path)
    note = json.loads((tmp_path / 'copy.json').read_text())
    (tmp_path / 'copy.json').write_text(json.dumps(dict(note, state='begun')))
    assert make().run(tmp_path) is True
    assert tool.calls[-1]['force'] is True


def test_files_of_others_stop_a_stage(stage, tmp_path):
    make, _ = stage
    (tmp_path / 'b.txt').write_text('mine')
    with pytest.raises(RuntimeError, match="stage 'copy' failed; by hand: python tools/copy.py"):
        make().run(tmp_path)
    assert (tmp_path / 'b.txt').read_text() == 'mine'


def test_a_tool_that_writes_nothing_is_noticed(tmp_path):
    stage = Stage('idle', 'tools/idle.py', lambda force: None, [], {}, [], [tmp_path / 'x.txt'])
    with pytest.raises(RuntimeError, match='did not write .*x.txt'):
        stage.run(tmp_path)


@pytest.mark.parametrize('draws', [True, False])
def test_a_file_that_need_not_be_written_is_missed_only_where_it_was(tmp_path, draws):
    table, picture = tmp_path / 'a.txt', tmp_path / 'a.png'

    def draw(force):
        for path in (table, picture) if draws else (table,):
            path.touch()

    stage = Stage('draw', 'tools/draw.py', draw, [], {}, [], [table], [picture])
    assert stage.run(tmp_path) is True and stage.run(tmp_path) is False
    picture.unlink(missing_ok=True)
    assert stage.run(tmp_path) is draws


def test_settings_become_options():
    options = dict(max_drop=0.01, threads=[1, 2], no_memory=True, force=False, preset=None)
    assert as_arguments(options) == ['--max-drop', '0.01', '--threads', '1', '2', '--no-memory']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ("model = dict(type='Distiller')", "has no block 'compress'"),
        (
            "compress = dict(pruning=1)\nmodel = dict(type='Distiller')",
            "compress: got the unknown key 'pruning'; expected seed, alone",
        ),
        ("compress = dict()\nmodel = dict(type='Recognizer2D')", "needs model.type 'Distiller'"),
        (
            "compress = dict()\nmodel = dict(type='Distiller', teacher=dict(config='hf::folder'))",
            'compress: got a teacher of another library',
        ),
    ],
)
def test_wrong_configs_are_named(tmp_path, capsys, text, message):
    (tmp_path / 'c.py').write_text(text)
    with pytest.raises(SystemExit) as stop:
        command.main([str(tmp_path / 'c.py')])
    assert stop.value.code == 1
    assert message in capsys.readouterr().err


def test_the_shipped_block_leaves_the_distillation_as_it_is(monkeypatch):
    monkeypatch.chdir(ROOT)  # else what tools/compare.py trained would be trained again
    config = Config.fromfile('configs/compress/i3d_to_mobilenet.py')
    read_settings(config)
    assert config.pretty_text == Config.fromfile('configs/distill/i3d_to_mobilenet.py').pretty_text


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        ('export.clipps=3', "compress.export: got the unknown key 'clipps'; expected precision, "),
        ('export.out=x.onnx', 'compress.export: got out, which compress.py chooses itself; leave it out'),
        ('quantize.preset=fast', "compress.quantize.preset: got 'fast'; expected 'mixed' or 'performance'"),
        ('benchmark.rounds=many', "compress.benchmark.rounds: got 'many'; expected a whole"),
        ('benchmark=3', 'compress.benchmark: got 3; expected a dict of settings or None'),
        ('prune.hook.target=None', 'compress.prune.hook: got no target'),
        ('prune.hook.criterion=luck', "compress.prune.hook.criterion: got 'luck'"),
        ('prune.hook.tempo=3', "compress.prune.hook: got the unknown key 'tempo'"),
        ('prune.hook.end=12', 'compress.prune.hook.end: got 12; expected less than the 6 epochs of its training'),
        ('benchmark.clips=0', 'compress.benchmark.clips: got 0; expected at least 1'),
        ('prune.speed=3', "compress.prune: got the unknown key 'speed'; expected hook, config"),
        ('export.precision=int8', "compress.export.precision: got 'int8'; expected 'f32'"),
        ('seed=1', "onnx is not installed; run pip install 'mmkd_video[onnx]'"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_trained(monkeypatch, capsys, setting, message):
    monkeypatch.setattr(command, 'prepare', lambda *_, **__: pytest.fail('something was trained'))
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(SystemExit) as stop:
        command.main([SHIPPED, '--cfg-options', f'compress.{setting}'])
    assert stop.value.code == 1
    assert f'error: {message}' in capsys.readouterr().err


def saved(path, **more):
    """Save a checkpoint of some weights; return its name."""
    torch.save(dict(state_dict={'weight': torch.zeros(1)}, **more), path)
    return str(path)


def test_a_checkpoint_that_cannot_be_begun_from_is_told_first(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, 'prepare', lambda *_, **__: pytest.fail('something was trained'))
    config = tmp_path / 'c.py'
    config.write_text(
        f"_base_ = {SHIPPED!r}\nhooks = [*_base_.custom_hooks, dict(type='QATHook', begin=9)]\n"
        'compress = dict(prune=dict(config=dict(custom_hooks=hooks)))'
    )
    checkpoint = tmp_path / 'a.pth'
    for message in (
        f"checkpoint '{checkpoint}' does not exist",
        'the quantizers of QATHook, and such a student is not',
    ):
        with pytest.raises(SystemExit) as stop:
            command.main([str(config), '--checkpoint', str(checkpoint)])
        assert stop.value.code == 1
        assert message in capsys.readouterr().err
        saved(checkpoint, **{QUANTIZATION_KEY: {}})


def begin(monkeypatch, folder, checkpoint='student.pth', **changed):
    """Compress a student that is distilled already; return the stages after training, which are not run."""
    found = {}

    def run(stage, work_dir, force):
        found[stage.name] = stage
        (work_dir / 'table.txt').write_text('')
        return True

    monkeypatch.setattr(Stage, 'run', run)
    config = read_config(SHIPPED, {'compress.alone': False, 'compress.prune': None, **changed})
    settings = read_settings(config)
    compress(CompressionWork(config, settings, folder), checkpoint)
    return found


def test_one_value_stands_for_a_list_of_one_and_none_for_nothing(monkeypatch, tmp_path):
    changed = {
        'compress.benchmark.threads': 1,
        'compress.benchmark.runtimes': 'eager',
        'compress.benchmark.reference': None,
    }
    stage = begin(monkeypatch, tmp_path, **changed)['benchmark']
    assert (stage.settings['threads'], stage.settings['runtimes']) == ([1], ['eager'])
    assert stage.settings['reference'] == 'student distilled'


@pytest.mark.parametrize('in_int8', [False, True])
def test_a_student_trained_in_int8_is_quantized_from_its_checkpoint(monkeypatch, tmp_path, in_int8):
    checkpoint = saved(tmp_path / 'a.pth', **({QUANTIZATION_KEY: {}} if in_int8 else {}))
    found = begin(monkeypatch, tmp_path, checkpoint)
    assert found['quantize'].arguments[1] == (checkpoint if in_int8 else str(tmp_path / 'student.xml'))
    assert found['quantize'].inputs == [Path(found['quantize'].arguments[1])]
    for name in ('export_onnx', 'export_openvino'):  # of others the command stays, and so do stages that are done
        assert ('--precision f32' in found[name].command) == in_int8


def test_what_the_command_line_changed_reaches_every_stage(monkeypatch, tmp_path):
    changed = {'test_dataloader.dataset.data_root': 'mine', 'model.student.cls_head.num_classes': 5}
    found = begin(monkeypatch, tmp_path, **changed)
    assert set(found) == {'export_onnx', 'export_openvino', 'quantize', 'benchmark'}
    for name, stage in found.items():
        place = stage.arguments.index('student distilled') + 1 if name == 'benchmark' else 0
        config = Config.fromfile(stage.arguments[place])
        assert config.test_dataloader.dataset.data_root == 'mine'
        assert (config.model.type, config.model.cls_head.num_classes) == ('Recognizer2D', 5)
        assert Path(stage.arguments[place]) in stage.inputs  # other settings, another stage


@pytest.mark.parametrize('accuracy', [0.5, None])
def test_a_picture_of_an_earlier_measurement_does_not_stay(monkeypatch, tmp_path, accuracy):
    stage = begin(monkeypatch, tmp_path)['benchmark']
    lines = [Deployment('student', 'eager', 1, [0.1], [10.0], 1, 1, 0.1, accuracy=accuracy)]
    monkeypatch.setattr(tools, 'benchmark_deploy', lambda *_, **__: DeploymentReport('Models', lines))
    (tmp_path / 'deploy.png').touch()
    stage.function(**stage.settings, force=True)
    assert (tmp_path / 'deploy.png').is_file() == (accuracy is not None)
    assert 'student' in (tmp_path / 'table.txt').read_text()


def test_a_config_that_is_not_changed_is_named_as_it_is(monkeypatch, tmp_path):
    found = begin(monkeypatch, tmp_path, **{'compress.benchmark': None, 'model.teacher.checkpoint': 'mine.pth'})
    for stage in found.values():
        assert SHIPPED in stage.arguments and Path(SHIPPED) not in stage.inputs
    assert [path.name for path in tmp_path.iterdir()] == ['table.txt']


def kill_when(tiny, sign):
    """Begin to compress and kill all of it, without a warning, as soon as a file is there."""
    command = [sys.executable, str(TOOLS / 'compress.py'), 'whole.py', '--work-dir', 'out']
    with (
        open(tiny.folder / 'killed.log', 'a') as log,
        subprocess.Popen(
            command, cwd=tiny.folder, env=tiny.environment(), stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            while not sign.is_file():
                assert process.poll() is None, (tiny.folder / 'killed.log').read_text()[-3000:]
                time.sleep(0.02)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
def test_killed_in_a_stage_it_goes_on_from_there(tiny):
    (tiny.folder / 'whole.py').write_text(BLOCK)
    out = tiny.folder / 'out'
    kill_when(tiny, out / 'student_distilled' / 'epoch_1.pth')
    first = (out / 'student_distilled' / 'epoch_1.pth').stat().st_mtime_ns
    kill_when(tiny, out / 'quantize.json')
    assert json.loads((out / 'quantize.json').read_text())['state'] == 'begun'
    exported = (out / 'student.xml').stat().st_mtime_ns
    said = tiny.run('compress.py', 'whole.py', '--work-dir', 'out').stdout
    assert said.count('done before') == 2  # both exports
    assert (out / 'student_distilled' / 'epoch_1.pth').stat().st_mtime_ns == first
    assert (out / 'student.xml').stat().st_mtime_ns == exported
    assert len(json.loads((out / 'deploy.json').read_text())['deployments']) == 8


@pytest.mark.slow
def test_ends_with_a_table_and_is_not_done_twice(tiny, tmp_path):
    (tiny.folder / 'whole.py').write_text(BLOCK)
    said = tiny.run('compress.py', 'whole.py', '--work-dir', 'out').stdout
    out = tiny.folder / 'out'
    report = json.loads((out / 'deploy.json').read_text())
    lines = {(each['model'], each['runtime']): each for each in report['deployments']}
    assert set(lines) == {
        *(
            (name, runtime)
            for name in ('teacher', 'student distilled', 'student pruned')
            for runtime in ('eager', 'openvino')
        ),
        ('teacher', 'openvino int8'),
        ('student int8', 'openvino int8'),
    }
    assert lines['student pruned', 'eager']['params'] <= 0.7 * lines['student distilled', 'eager']['params']
    assert (out / 'table.txt').read_text() in said
    made = {path: path.stat().st_mtime_ns for path in out.rglob('*') if path.is_file()}
    assert {'student.onnx', 'student.xml', 'student_int8.xml', 'student_pruned.pth'} <= {path.name for path in made}
    measured = any(each['latencies'] for each in report['deployments'])  # none where other load forbade it
    assert (out / 'deploy.png').is_file() == measured and ('no picture' in said) != measured
    again = tiny.run('compress.py', 'whole.py', '--work-dir', 'out').stdout
    assert again.count('done before') == 4 and (out / 'table.txt').read_text() in again
    unchanged = {path: time for path, time in made.items() if path.stat().st_mtime_ns == time}
    assert {path.name for path in made} - {path.name for path in unchanged} <= {'student_pruned.py', '.training'}


@pytest.mark.slow
def test_a_distillation_in_int8_keeps_its_ranges(tiny):
    pytest.importorskip('nncf')
    hooks = "custom_hooks = [*_base_.custom_hooks, dict(type='QATHook', operators='torch')]"
    (tiny.folder / 'whole.py').write_text(f'{BLOCK}\n{hooks}')
    options = ['compress.prune=None', 'compress.quantize.max_drop=1', 'train_cfg.max_epochs=12']
    tiny.run('compress.py', 'whole.py', '--work-dir', 'out', '--cfg-options', *options)
    out = tiny.folder / 'out'
    assert '<precision value="&quot;f32&quot;"' in (out / 'student.xml').read_text()
    assert '<precision value="&quot;int8&quot;"' in (out / 'student_int8.xml').read_text()
    assert json.loads((out / 'quantize.json').read_text())['command'].split()[3] == 'out/student_distilled.pth'


@pytest.mark.slow
def test_without_labels_of_test_clips_it_ends_without_accuracy_and_picture(tiny):
    model = build_model(read_config(str(tiny.student)).model)
    torch.nn.init.normal_(model.cls_head.fc_cls.weight, std=1.0)
    torch.save(dict(state_dict=model.state_dict()), tiny.folder / 'student.pth')
    clips, unlabelled = (tiny.root / 'test.txt').read_text().splitlines(), tiny.folder / 'unlabelled.txt'
    unlabelled.write_text('\n'.join(f'{line.split()[0]} -1' for line in clips))
    for path in (tiny.teacher, tiny.student):
        path.write_text(f"{path.read_text()}\ntest_dataloader['dataset']['ann_file'] = {str(unlabelled)!r}\n")
    (tiny.folder / 'whole.py').write_text(f"{BLOCK}\ncompress.pop('quantize')")
    out = tiny.folder / 'out'
    options = ['compress.prune=None', 'compress.benchmark.runtimes=[eager]']
    said = tiny.run(
        'compress.py', 'whole.py', '--work-dir', 'out', '--checkpoint', 'student.pth', '--cfg-options', *options
    ).stdout
    assert said.splitlines()[-1] == 'everything is in out; no picture: no labels on test, or other load'
    assert [each['accuracy'] for each in json.loads((out / 'deploy.json').read_text())['deployments']] == [None, None]


def test_a_student_of_several_stages_is_pruned_in_one(tmp_path):
    config = Config(dict(model=dict(type='Distiller'), stages=[dict(name='distil'), dict(name='finetune')]))
    work = CompressionWork(config, dict(prune=dict(hook=dict(target=dict(params=0.5)))), tmp_path)
    work.models.append(('distilled', 'config.py', 'last.pth'))
    run = pruning_config(work)
    assert 'stages' not in run and run.load_from == 'last.pth' and len(config.stages) == 2
