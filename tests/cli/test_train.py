"""Training and testing from the command line, and what is made before."""

import json
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import mmaction
import mmengine
import pytest
import torch
from mmengine.config import Config
from tiny_experiment import ROOT, TOOLS

from mmkd_video.cli import test as test_command
from mmkd_video.cli import train
from mmkd_video.compat import safe_load
from mmkd_video.datasets import motion_set
from mmkd_video.recognizers.config import to_arguments
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.workflows.train import prepare as prepare_module
from mmkd_video.workflows.train import testing, training
from mmkd_video.workflows.train.prepare import find_last, needed_parts, prepare, publish

STOCK_TOOLS = Path(mmaction.__file__).parent / '.mim' / 'tools'


def merged(config, *arguments):
    """Return the config that a command line leads to."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, 'read_config', lambda *_, **__: config)
        patch.setattr(train, 'run_training', lambda merged, **_: seen.append(merged))
        train.main(['c.py', *arguments])
    return seen[0]


def test_command_line_wins_over_the_config():
    config = Config(
        dict(randomness=dict(seed=0, deterministic=True), work_dir='of_config', train_cfg=dict(max_epochs=9))
    )
    found = merged(config, '--seed', '3', '--resume', '--cfg-options', 'train_cfg.max_epochs=1')
    assert found.randomness == dict(seed=3, deterministic=True)
    assert found.work_dir == 'of_config' and found.resume is True and found.load_from is None
    assert found.train_cfg.max_epochs == 1
    found = merged(Config({}), '--work-dir', 'given', '--resume', 'some.pth')
    assert (found.work_dir, found.load_from, found.randomness.seed) == ('given', 'some.pth', None)
    assert merged(Config({})).work_dir == 'work_dirs/c'


@pytest.mark.parametrize('left', ['epoch_1.pth', 'last_checkpoint'])
def test_resume_begins_with_the_weights_of_load_from_where_there_is_no_checkpoint_yet(left, tmp_path):
    arguments = ('--resume', '--work-dir', str(tmp_path))
    found = merged(Config(dict(load_from='zoo.pth')), *arguments)
    assert found.resume is False and found.load_from == 'zoo.pth'
    (tmp_path / left).touch()
    found = merged(Config(dict(load_from='zoo.pth')), *arguments)
    assert found.resume is True and found.load_from is None
    assert merged(Config(dict(load_from='zoo.pth')), '--resume', 'some.pth').load_from == 'some.pth'


@pytest.mark.parametrize(
    'wish, message',
    [(dict(amp=True), "--amp: got optim_wrapper.type='Own'"), (dict(auto_scale_lr=True), 'has no auto_scale_lr')],
)
def test_argument_that_does_not_fit_the_config_is_refused(wish, message):
    with pytest.raises(ValueError, match=message):
        training.merge_settings(Config(dict(optim_wrapper=dict(type='Own'))), path='c.py', **wish)


def test_unknown_config_is_one_line(capsys):
    with pytest.raises(SystemExit) as stopped:
        train.main(['nowhere.py'])
    assert stopped.value.code == 1
    assert capsys.readouterr().err.startswith('error: ') and 'nowhere.py' in str(stopped.value.__context__)


def test_unreadable_checkpoint_of_a_test_is_one_line(tmp_path, capsys):
    Config(dict(model=dict(type='Recognizer2D'))).dump(tmp_path / 'c.py')
    (tmp_path / 'half.pth').write_bytes(b'half')
    with pytest.raises(SystemExit) as stopped:
        test_command.main([str(tmp_path / 'c.py'), str(tmp_path / 'half.pth')])
    assert stopped.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('error: ') and 'half.pth cannot be read (' in line


def test_without_preparation_the_two_commands_are_named(tiny, capsys):
    with pytest.raises(SystemExit) as stopped:
        train.main([str(tiny.distill), '--no-prepare', '--cfg-options', 'prepare.data=elsewhere'])
    assert stopped.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2] == '  python tools/data/render_motion_clips.py elsewhere'
    program, tool, *arguments = shlex.split(lines[-1])
    assert (program, tool) == ('python', 'tools/train.py')
    options = train.build_parser().parse_args(arguments)
    assert options.config == str(tiny.teacher) and options.publish == str(tiny.checkpoint)
    assert options.cfg_options == {'train_cfg.max_epochs': 1} and options.resume == 'auto'


def test_missing_clips_are_rendered(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(motion_set, 'NUM_CLIPS', {'train': 2, 'val': 1, 'test': 1})
    config = Config(dict(model=dict(), prepare=dict(data=str(tmp_path / 'clips'))))
    prepare(config)
    assert f'preparing the embedded clips in {tmp_path / "clips"}' in capsys.readouterr().out
    (clips,) = needed_parts(config)
    assert clips.exists()
    prepare(config)
    assert capsys.readouterr().out == ''
    next((tmp_path / 'clips' / 'train').glob('*.mp4')).unlink()
    assert not clips.exists()


def test_nothing_to_prepare():
    prepare(Config(dict(model=dict())), allowed=False)
    prepare(Config(dict(model=dict(), prepare=dict(data=None, teacher=None))), allowed=False)


@pytest.mark.parametrize(
    'wanted, message', [(dict(dta='x'), "'dta'.*expected data"), (dict(teacher=dict(b='b.py')), "'b'.*are \\['a'\\]")]
)
def test_malformed_prepare_is_refused(wanted, message):
    config = Config(dict(model=dict(teacher=dict(a=dict(config='a.py', checkpoint='a.pth'))), prepare=wanted))
    with pytest.raises(KeyError, match=message):
        needed_parts(config)


def test_teacher_is_built_with_the_options_it_is_trained_with(tiny):
    tiny.checkpoint.parent.mkdir()
    tiny.checkpoint.touch()
    config = Config.fromfile(tiny.distill)
    prepare(config)
    assert config.model.teacher.config.train_cfg.max_epochs == 1
    assert config.model.teacher.config.model.type == 'Recognizer3D'
    tested = Config.fromfile(tiny.distill)
    testing.merge_settings(tested, 'some.pth', path=str(tiny.distill))
    assert tested.model == config.model


def test_other_ranks_wait_for_rank_0(tiny, monkeypatch):
    monkeypatch.setenv('RANK', '1')
    monkeypatch.setattr(prepare_module, 'POLL_SECONDS', 0.01)
    config = Config.fromfile(tiny.distill)
    config.launcher = 'pytorch'
    waiting = threading.Thread(target=prepare, args=(config,))
    waiting.start()
    time.sleep(0.1)
    assert waiting.is_alive()
    tiny.checkpoint.parent.mkdir()
    tiny.checkpoint.touch()
    waiting.join(10)
    assert not waiting.is_alive()


def test_waiting_ends_with_the_command_to_run(tiny, monkeypatch):
    monkeypatch.setenv('RANK', '1')
    config = Config.fromfile(tiny.distill)
    config.launcher, config.prepare.timeout = 'pytorch', 1e-9
    with pytest.raises(TimeoutError, match='rank 1 waited 1e-09 hours.*python tools/train.py'):
        prepare(config)


def test_published_checkpoint_holds_weights_only(tmp_path):
    weights = dict(meta=dict(epoch=1), state_dict=dict(w=torch.ones(2)), optimizer=dict(state=3))
    torch.save(weights, tmp_path / 'epoch_1.pth')
    (tmp_path / 'last_checkpoint').write_text('/moved/from/epoch_1.pth')
    publish(tmp_path, tmp_path / 'new' / 'teacher.pth')
    published = safe_load.load(tmp_path / 'new' / 'teacher.pth')
    assert set(published) == {'meta', 'state_dict'} and published['state_dict']['w'].tolist() == [1, 1]
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['teacher.pth']
    with pytest.raises(FileNotFoundError, match='holds no checkpoint'):
        find_last(tmp_path / 'new')


def test_options_survive_the_command_line():
    options = dict(a=dict(b=1, c=[1, 2.5], d=None), e='text', f=(1, 'x'), g=True)
    arguments = to_arguments(options)
    parsed = train.build_parser().parse_args(['c.py', '--cfg-options', *arguments]).cfg_options
    assert parsed == {'a.b': 1, 'a.c': [1, 2.5], 'a.d': None, 'e': 'text', 'f': (1, 'x'), 'g': True}


def test_plain_student_differs_in_the_teacher_alone(tiny):
    config, student = Config.fromfile(tiny.distill), Config.fromfile(tiny.student)
    plain = plain_student(config)
    for key in ('model', 'train_dataloader', 'optim_wrapper', 'train_cfg', 'default_hooks', 'test_dataloader'):
        assert plain[key] == student[key], key
    assert plain.randomness == config.randomness
    assert [hook['type'] for hook in plain.custom_hooks] == [
        'ReproducibleHook',
        'StopSignalHook',
        'CheckpointGuardHook',
        'FiniteHook',
        'PruningHook',
    ]
    assert config.model.type == 'Distiller'


@pytest.mark.slow
def test_teacher_is_trained_then_the_student(trained):
    assert f'training the teacher {trained.checkpoint} from {trained.teacher}' in trained.said
    assert trained.said.index('is ready') < trained.said.index('Distillation terms')
    assert set(safe_load.load(trained.checkpoint)) == {'meta', 'state_dict'}
    assert find_last(trained.folder / 'out').name == 'epoch_2.pth'


def accuracy_and_scores(experiment, tool, config, checkpoint, name, *arguments):
    """Test; return the ``acc/`` metrics, the scores ``(16, 8)`` of the clips, and what the command printed."""
    dump = experiment.folder / f'{name}.pkl'
    said = experiment.run(tool, config, checkpoint, *arguments, '--work-dir', name, '--dump', dump).stdout
    (path,) = (experiment.folder / name).glob('2*/2*.json')
    found = json.loads(path.read_text().splitlines()[-1])
    metrics = {key: value for key, value in found.items() if key.startswith('acc/')}
    return metrics, torch.stack([sample['pred_score'] for sample in mmengine.load(dump)]), said


@pytest.mark.slow
def test_every_way_of_testing_gives_the_same_scores(trained):
    checkpoint = trained.folder / 'out' / 'epoch_2.pth'
    plain = trained.folder / 'plain.py'
    plain.write_text("_base_ = 'student.py'\ncustom_imports = dict(imports=['mmkd_video'])\n")
    options = ['--cfg-options', 'model.teacher.checkpoint=gone.pth']
    found = [
        accuracy_and_scores(trained, 'test.py', 'distill.py', checkpoint, 'distill'),
        accuracy_and_scores(trained, 'test.py', 'student.py', checkpoint, 'student'),
        accuracy_and_scores(trained, STOCK_TOOLS / 'test.py', 'plain.py', checkpoint, 'stock'),
        accuracy_and_scores(trained, 'test.py', 'distill.py', checkpoint, 'without', *options),
    ]
    assert 'testing the student alone' in found[-1][2]
    metrics, scores, _ = found[0]
    assert 'acc/top1' in metrics and all(each[0] == metrics for each in found)
    assert scores.shape == (16, 8) and all(torch.equal(each[1], scores) for each in found)
    # Accuracy alone would not tell: a model that says the same of every clip gets one of the eight classes right.
    before = accuracy_and_scores(trained, 'test.py', 'student.py', checkpoint.with_name('epoch_1.pth'), 'before')
    assert not torch.allclose(before[1], scores, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    'config, checkpoint, options, message',
    [
        ('student.py', 'teacher', [], 'does not belong to student.py: '),
        ('student.py', 'student', ['model.backbone.depht=34'], 'depht'),
        ('student.py', 'student', ['test_dataloader.dataset.ann_file=nowhere.txt'], 'nowhere.txt'),
        (
            'student.py',
            'student',
            ['test_dataloader=None', 'test_cfg=None', 'test_evaluator=None'],
            'student.py has no test: expected test_dataloader',
        ),
    ],
)
def test_mistake_in_a_test_is_one_line_before_it_begins(trained, config, checkpoint, options, message):
    path = trained.checkpoint if checkpoint == 'teacher' else trained.folder / 'out' / 'epoch_2.pth'
    options = ['--cfg-options', *options] if options else []
    done = trained.run('test.py', config, path, '--work-dir', 'mistaken', *options, check=False)
    assert done.returncode == 1 and 'Traceback' not in done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert message in line


@pytest.mark.slow
def test_stock_train_tool_runs_the_same_config(trained):
    trained.run(STOCK_TOOLS / 'train.py', 'distill.py', '--work-dir', 'stock_train')
    ours, stock = (safe_load.load(trained.folder / name / 'epoch_2.pth') for name in ('out', 'stock_train'))
    assert all(torch.equal(ours['state_dict'][key], stock['state_dict'][key]) for key in ours['state_dict'])


@pytest.mark.slow
def test_killed_teacher_training_is_resumed(tiny):
    config = tiny.distill.read_text().replace('train_cfg=dict(max_epochs=1)', 'train_cfg=dict(max_epochs=3)')
    tiny.distill.write_text(config)
    work_dir = tiny.checkpoint.with_suffix('')
    environment = tiny.environment(PYTHONUNBUFFERED='1')
    command = [sys.executable, str(TOOLS / 'train.py'), 'distill.py', '--work-dir', 'out']
    killed = subprocess.Popen(
        command, cwd=tiny.folder, env=environment, start_new_session=True, stdout=subprocess.DEVNULL
    )
    while not (work_dir / 'last_checkpoint').exists() and killed.poll() is None:
        time.sleep(0.05)
    subprocess.run(['kill', f'-{signal.SIGKILL.value}', '--', f'-{killed.pid}'], check=True)
    killed.wait()
    assert not tiny.checkpoint.exists()
    said = tiny.run('train.py', 'distill.py', '--work-dir', 'out').stdout
    assert 'resumed epoch' in said and tiny.checkpoint.exists()
    assert safe_load.load(tiny.checkpoint)['meta']['epoch'] == 3


@pytest.mark.slow
def test_two_processes_prepare_once_and_train(tiny):
    said = tiny.run(
        'dist_train.sh', 'distill.py', 2, '--work-dir', 'out', '--cfg-options', 'env_cfg.dist_cfg.backend=gloo'
    ).stdout
    assert said.count('training the teacher') == 1 and 'rank 1 waits for rank 0' in said
    checkpoint = find_last(tiny.folder / 'out')
    gloo = [2, '--cfg-options', 'env_cfg.dist_cfg.backend=gloo']
    two = accuracy_and_scores(tiny, 'dist_test.sh', 'distill.py', checkpoint, 'two', *gloo)
    one = accuracy_and_scores(tiny, 'test.py', 'distill.py', checkpoint, 'one')
    before = accuracy_and_scores(tiny, 'test.py', 'distill.py', checkpoint.with_name('epoch_1.pth'), 'before')
    assert two[0] == one[0]
    torch.testing.assert_close(two[1], one[1], rtol=0, atol=1e-6)
    assert not torch.allclose(before[1], one[1], atol=1e-4)


def test_tools_are_thin():
    for tool in ('train', 'test', 'compare'):
        assert len((ROOT / 'tools' / f'{tool}.py').read_text().splitlines()) < 10
