"""tools/prune.py on a tiny experiment; what it writes is tested by our tools and by MMAction2's own."""

import re
from pathlib import Path

import mmaction
import pytest
import torch
from mmengine.config import Config
from tiny_experiment import ROOT, TinyExperiment

from mmkd_video.cli.prune import main
from mmkd_video.compat import safe_load
from mmkd_video.core.registry import build_model
from mmkd_video.pruning import PRUNING_KEY, PruningHistory, count_params
from mmkd_video.workflows.deploy.student import StudentCheckpoint
from mmkd_video.workflows.train.testing import fit_student, merge_settings

STOCK_TEST = Path(mmaction.__file__).parent / '.mim' / 'tools' / 'test.py'


@pytest.fixture
def experiment(tmp_path, tiny_clips):
    made = TinyExperiment(tmp_path, tiny_clips)
    torch.manual_seed(0)
    model = build_model(Config.fromfile(made.student).model)
    torch.nn.init.normal_(model.cls_head.fc_cls.weight)
    torch.save(dict(meta={}, state_dict=model.state_dict()), tmp_path / 'student.pth')
    return made


def run(experiment, *more, config=None, out='pruned.pth', target='--target-params=0.5'):
    student = experiment.folder / 'student.pth'
    return main([str(config or experiment.student), str(student), target, '--out', str(experiment.folder / out), *more])


def test_checkpoint_and_config_build_the_pruned_student(experiment, capsys):
    history = run(experiment)
    checkpoint = safe_load.load(experiment.folder / 'pruned.pth')
    assert set(checkpoint) == {'meta', 'state_dict', PRUNING_KEY}
    assert checkpoint[PRUNING_KEY] == history.to_json()
    config = Config.fromfile(experiment.folder / 'pruned.py')
    assert config.model.type == 'PrunedRecognizer' and config.load_from == str(experiment.folder / 'pruned.pth')
    assert config.test_dataloader == Config.fromfile(experiment.student).test_dataloader
    pruned = StudentCheckpoint.read(config.load_from).build(config)
    whole = StudentCheckpoint.read(experiment.folder / 'student.pth').build(Config.fromfile(experiment.student))
    assert type(pruned) is type(whole) and set(pruned.state_dict()) == set(whole.state_dict())
    assert 0.45 < count_params(pruned) / count_params(whole) <= 0.5
    before, after = re.findall(r'(?:before|after) +([\d,]+) +(0\.\d+)', capsys.readouterr().out)
    assert before[0] == f'{count_params(whole):,}' and after[0] == f'{count_params(pruned):,}'
    assert float(after[1]) < float(before[1])


def test_measured_time_is_a_target(experiment):
    history = run(experiment, target='--target-latency=0.95')
    (step,) = history.steps
    assert step.settings['target'] == dict(latency=0.95) and step.after['latency'] <= 0.95
    model = StudentCheckpoint.read(experiment.folder / 'pruned.pth').build(
        Config.fromfile(experiment.folder / 'pruned.py')
    )
    assert count_params(model) == step.after['params'] < step.before['params']


def test_distillation_gives_its_student_and_options_are_kept(experiment):
    options = ['--cfg-options', 'test_dataloader.batch_size=3']
    hook = "\ncustom_hooks = [dict(type='PruningHook', target=dict(params=0.9))]\n"
    experiment.distill.write_text(experiment.distill.read_text() + hook)
    run(experiment, '--criterion', 'taylor', '--clips', '2', *options, config=experiment.distill)
    config = Config.fromfile(experiment.folder / 'pruned.py')
    assert config.test_dataloader.batch_size == 3 and config.model.recognizer.type == 'Recognizer2D'
    assert 'DistillViews' not in config.pretty_text and 'teacher' not in config.model
    assert [hook for hook in config.custom_hooks if hook.type == 'PruningHook'] == [dict(type='PruningHook')]
    StudentCheckpoint.read(config.load_from).build(config)


def test_pruned_student_is_pruned_further(experiment):
    run(experiment)
    first = experiment.folder / 'pruned.py'
    history = main(
        [
            str(first),
            str(first.with_suffix('.pth')),
            '--target-params=0.5',
            '--out',
            str(experiment.folder / 'more.pth'),
        ]
    )
    for path in (first, first.with_suffix('.pth')):
        path.rename(path.with_name('moved' + path.suffix))
    text = (experiment.folder / 'more.py').read_text()
    (experiment.folder / 'more.py').write_text(text.replace('pruned.py', 'moved.py'))
    config = Config.fromfile(experiment.folder / 'more.py')
    model = StudentCheckpoint.read(config.load_from).build(config)
    assert len(history) == 2 and count_params(model) == history.steps[1].after['params']


def test_layers_that_stay_whole_are_said(experiment, capsys):
    run(experiment, '--keep', 'backbone.layer1.0.conv1', target='--target-params=0.9')
    assert 'left whole: backbone.layer1.0.conv1.conv (keep names it)\nwrote ' in capsys.readouterr().out


def test_quantizers_that_are_left_behind_are_said(experiment, tmp_path, capsys):
    path = experiment.folder / 'student.pth'
    torch.save(dict(safe_load.load(path), quantization=dict(format='any')), path)
    run(experiment)
    assert 'note: this student was trained in int8; the pruned one computes in float' in capsys.readouterr().out
    assert 'quantization' not in safe_load.load(experiment.folder / 'pruned.pth')
    for hooks, said in (([], True), ([dict(type='QATHook')], False)):
        config = Config(dict(Config.fromfile(experiment.student), custom_hooks=hooks))
        fit_student(merge_settings(config, str(path), path=str(experiment.student)), StudentCheckpoint.read(path))
        assert ('without QATHook in the config it is tested in float' in capsys.readouterr().out) == said


def test_existing_files_stay_without_force(experiment, capsys):
    (experiment.folder / 'pruned.py').write_text('mine')
    with pytest.raises(SystemExit):
        run(experiment)
    assert 'pruned.py exists; give another name, or --force' in capsys.readouterr().err
    assert (experiment.folder / 'pruned.py').read_text() == 'mine'
    assert not (experiment.folder / 'pruned.pth').exists()
    run(experiment, '--force')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(target='--target-params=0.00001'), 'target params=1e-05 cannot be reached'),
        (dict(more=['--keep', 'backbone.layer7']), "keep: 'backbone.layer7' names no layer"),
        (dict(out='pruned.ckpt'), 'expected one that ends in .pth'),
        (dict(config='teacher'), 'does not belong to'),
    ],
)
def test_mistakes_are_one_line(experiment, capsys, arguments, message):
    if 'config' in arguments:
        arguments = dict(config=experiment.teacher)
    with pytest.raises(SystemExit) as stopped:
        run(experiment, *arguments.pop('more', []), **arguments)
    error = capsys.readouterr().err
    assert stopped.value.code == 1 and message in error and error.count('\n') == 1
    assert not list(experiment.folder.glob('pruned.*'))


def test_pruned_student_is_a_student_to_distil(experiment):
    run(experiment)
    path, base, mmkd = experiment.folder / 'again.py', str(experiment.student), str(ROOT / 'configs/_base_/mmkd.py')
    teacher = Config.fromfile(experiment.teacher).model.to_dict()
    path.write_text(
        f"""_base_ = [{base!r}, {mmkd!r}]
pruned = '{{{{ fileDirname }}}}/pruned.pth'
model = dict(
    _delete_=True,
    type='Distiller',
    student=dict(type='PrunedRecognizer', recognizer=_base_.model, history=pruned),
    teacher=dict(config={teacher!r}, checkpoint=None),
    terms=[dict(type='KDLoss', at='logits')],
)
load_from = pruned
"""
    )
    config = Config.fromfile(path)
    model = build_model(config.model)
    saved = safe_load.load(config.load_from)
    assert {k: v.shape for k, v in model.state_dict().items()} == {k: v.shape for k, v in saved['state_dict'].items()}
    assert len(PruningHistory.load(config.load_from)) == 1
    assert any(hook.type == 'PruningHook' for hook in config.custom_hooks)  # keeps the history in its checkpoints


@pytest.mark.slow
def test_tested_by_our_tool_and_by_the_stock_one(experiment):
    run(experiment)
    pruned, plain = experiment.folder / 'pruned.py', experiment.student
    checkpoint = experiment.folder / 'pruned.pth'
    found = [accuracy(experiment.run(*each, checkpoint)) for each in (('test.py', plain), (STOCK_TEST, pruned))]
    assert found[0] == found[1]
    plain.write_text(
        plain.read_text() + "\ncustom_imports = dict(imports=['mmkd_video'], allow_failed_imports=False)\n"
    )
    refused = experiment.run(STOCK_TEST, plain, checkpoint, check=False)
    assert refused.returncode != 0 and "type='PrunedRecognizer'" in refused.stderr


def accuracy(done):
    (value,) = re.findall(r'acc/top1: ([\d.]+)', done.stdout + done.stderr)[-1:]
    return value
