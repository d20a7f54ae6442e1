"""Teacher, student alone and student distilled, with nothing else different."""

import json
import shlex
import sys
from dataclasses import replace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmkd_video.cli import compare
from mmkd_video.hooks import training_clock
from mmkd_video.hooks.training_clock import CPU_META_KEY, META_KEY, TrainingClock
from mmkd_video.recognizers.complexity import measure_complexity
from mmkd_video.workflows.compare import comparing
from mmkd_video.workflows.compare.arms import ALONE, DISTILLED
from mmkd_video.workflows.compare.result import Comparison, Row, Section
from mmkd_video.workflows.compare.settings import ComparisonSettings, command_of
from mmkd_video.workflows.train.run_folder import RunFolder


def test_plain_config_is_refused(tiny, capsys):
    with pytest.raises(SystemExit):
        compare.main([str(tiny.student)])
    assert "expected 'Distiller'" in capsys.readouterr().err


def test_finished_run_is_read_and_one_of_another_config_refused(tmp_path):
    config = Config(dict(model=dict(type='Recognizer3D')))
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'result.json').write_text('{"metrics": {"acc/top1": 0.5}}')
    assert not RunFolder(tmp_path / 'run', config).is_finished()  # nobody says of which config it is
    assert RunFolder(tmp_path / 'run', config).result()['metrics'] == {'acc/top1': 0.5}
    assert RunFolder(tmp_path / 'run', config).is_finished()
    other = Config(dict(model=dict(type='Recognizer2D')))
    with pytest.raises(ValueError, match='holds a run of another config'):
        RunFolder(tmp_path / 'run', other).result()


def test_run_of_another_teacher_is_refused(tmp_path):
    teacher = tmp_path / 'teacher.pth'
    teacher.write_bytes(b'one')
    config = Config(dict(model=dict(type='Distiller', teacher=dict(config='t.py', checkpoint=str(teacher)))))
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'result.json').write_text('{"metrics": {}}')
    RunFolder(tmp_path / 'run', config).result()
    teacher.write_bytes(b'two')
    with pytest.raises(ValueError, match='another teacher'):
        RunFolder(tmp_path / 'run', config).result()


@pytest.mark.slow
def test_failed_run_shows_the_end_of_its_log(tmp_path):
    broken = tmp_path / 'broken.pth'
    broken.write_bytes(b'no checkpoint')
    with pytest.raises(RuntimeError, match='(?s)exit code 1.*console.log.*checkpoint'):
        RunFolder(tmp_path / 'run', Config(dict(model=dict())), broken).result()


def test_clock_counts_training_alone_and_goes_on_after_a_resume(monkeypatch):
    now = [0.0]
    monkeypatch.setattr('time.perf_counter', lambda: now[0])
    monkeypatch.setattr(training_clock, 'cpu_seconds', lambda: 2 * now[0])
    clock, checkpoint = TrainingClock(), dict(meta={})

    def after(seconds, call, *arguments):
        now[0] += seconds
        call(*arguments)

    clock.before_train(None)
    after(5, clock.before_val, None)
    after(100, clock.after_val, None)
    after(2, clock.before_save_checkpoint, None, checkpoint)
    assert checkpoint['meta'] == {META_KEY: 7, CPU_META_KEY: 14}
    resumed, runner = TrainingClock(), type('Runner', (), dict(_resume=True))
    after(50, resumed.after_load_checkpoint, runner, checkpoint)
    resumed.before_train(None)
    after(3, resumed.after_train, None)
    after(9, lambda: None)
    assert (resumed.seconds, resumed.cpu_seconds) == (10, 20)
    fine_tuned = TrainingClock()
    fine_tuned.after_load_checkpoint(type('Runner', (), dict(_resume=False)), checkpoint)
    assert fine_tuned.seconds == 0


class OneConv(nn.Module):
    """A recognizer of one convolution: 2 x 3 x 3 weights and no bias."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)

    def extract_feat(self, inputs, stage='backbone'):
        return self.conv(inputs.flatten(0, 1)) if stage == 'head' else None


def test_complexity_counts_multiply_adds_of_one_clip():
    model = OneConv().train()
    params, gflops = measure_complexity(model, torch.zeros(8, 3, 4, 5, dtype=torch.uint8)[None].flatten(0, 1))
    assert params == 6 and gflops == pytest.approx(8 * 6 * 4 * 5 / 1e9)
    assert model.training and 'forward' not in vars(model)


def test_model_that_cannot_be_traced_has_no_gflops(capsys):
    class Broken(OneConv):
        def extract_feat(self, inputs, stage='backbone'):
            raise RuntimeError('cannot')

    assert measure_complexity(Broken(), torch.zeros(8, 3, 4, 5)) == (6, None)
    assert 'GFLOPs not counted: RuntimeError' in capsys.readouterr().out


@pytest.mark.parametrize('text', ['', '{"metrics": {"acc/t', '[]', '{"metrics": 1}', '{"val": {"acc/top1": 0.5}}'])
def test_damaged_or_partial_result_counts_as_none(tmp_path, text):
    (tmp_path / 'result.json').write_text(text)
    assert RunFolder(tmp_path, Config(dict(model=dict()))).read() is None
    assert RunFolder(tmp_path, Config(dict(model=dict())), splits=('val', 'test')).read() is None


def options_of(*arguments):
    return compare.build_parser().parse_args(['c.py', *arguments])


def test_seeds_are_numbers_and_ranges():
    settings = compare.settings_of(options_of('--seeds', '0-3', '7', '3'))
    assert settings.seeds == [0, 1, 2, 3, 7]
    assert compare.settings_of(options_of()).seeds == [0]
    for wrong in ('a', '3-1', '-1'):
        with pytest.raises(SystemExit):
            options_of('--seeds', wrong)
    with pytest.raises(SystemExit):
        options_of('--jobs', '0')


def test_the_command_makes_the_whole_table():
    given = ['--seeds', '0-2', '--grid', 'a.lr=x0.5,x2', 'b=[1,2],3', '--tuning-seeds', '50', '--at-grid', '--as-long']
    given += ['--metric', 'acc/top5', '--jobs', '2', '--cfg-options', 'train_cfg.max_epochs=1']
    settings = compare.settings_of(options_of(*given))
    command = command_of(['c.py'], settings, 'out')
    assert command == (
        "python tools/compare.py c.py --seeds 0 1 2 --grid a.lr=x0.5,x2 'b=[1,2],3' --tuning-seeds 50 --at-grid "
        '--as-long --metric acc/top5 --work-dir out --cfg-options train_cfg.max_epochs=1'
    )
    words = shlex.split(command)[2:]
    assert compare.settings_of(compare.build_parser().parse_args(words)) == settings


def test_added_seeds_join_a_table_that_stays_as_it_is(tmp_path):
    def added(*words, config='c.py'):
        options = compare.build_parser().parse_args([config, *words])
        more = [seed for each in options.add_seeds for seed in each]
        return compare.settings_of(options).with_seeds_of(tmp_path, options.configs, more)

    row = Row('student alone', 'student alone', 'recipe untouched', {}, [0.5], [None], [None], [None], [None])
    before = ComparisonSettings(seeds=[4], grid=['a=1,2'])
    saved = Comparison(
        {'c': 'c.py'}, '', 'acc/top1', [4], [], [Section('recipe untouched', [row])], options=before.as_dict()
    )
    with pytest.raises(ValueError, match='compare.json does not exist; make the table first'):
        added('--add-seeds', '5')
    (tmp_path / 'compare.json').write_text(json.dumps(saved.as_dict()))
    settings = added('--add-seeds', '5', '4', '6')
    assert settings == replace(before, seeds=[4, 5, 6]) and settings.grid == ['a=1,2']
    with pytest.raises(ValueError, match='got --grid, --as-long too; these stay'):
        added('--add-seeds', '5', '--grid', 'a=1', '--as-long')
    with pytest.raises(ValueError, match='got d.py; the table .* is of c.py'):
        added('--add-seeds', '5', config='d.py')
    (tmp_path / 'compare.json').write_text('{"format": 1}')
    with pytest.raises(ValueError, match='is not what tools/compare.py writes .*got format 1'):
        added('--add-seeds', '5')


def ended(tiny, tmp_path, monkeypatch, run, capsys):
    """Return the exit code of the command and what it said, where its runs end as ``run`` does."""
    monkeypatch.setattr(comparing, 'run', run)
    with pytest.raises(SystemExit) as stopped:
        compare.main([str(tiny.distill), '--work-dir', str(tmp_path / 'out')])
    return stopped.value.code, capsys.readouterr()


def test_an_interrupt_is_one_line(tiny, tmp_path, monkeypatch, capsys):
    def interrupted(*given, **more):
        raise KeyboardInterrupt

    code, said = ended(tiny, tmp_path, monkeypatch, interrupted, capsys)
    assert (code, said.out, said.err) == (130, '', '\ninterrupted; the same command goes on from here\n')


def test_missing_runs_are_told_after_the_table_and_fail_the_command(tiny, tmp_path, monkeypatch, capsys):
    none = [None]
    rows = [Row(name, name, 'recipe untouched', {}, none, none, none, none, none) for name in (ALONE, DISTILLED)]

    def with_a_gap(configs, settings, *given, **more):
        missing = ['student alone, seed 0', 'student distilled, seed 0']
        sections = [Section('recipe untouched', rows)]
        return Comparison({'distill': 'd.py'}, 'command', 'acc/top1', [0], [], sections, missing=missing)

    code, said = ended(tiny, tmp_path, monkeypatch, with_a_gap, capsys)
    assert code == 1 and said.err == 'error: 2 runs failed; the same command tries them again\n'
    assert 'MISSING, since they failed: student alone, seed 0' in said.out
    saved = json.loads((tmp_path / 'out' / 'compare.json').read_text())
    assert saved['options']['seeds'] == [0] and saved['missing'] == [
        'student alone, seed 0',
        'student distilled, seed 0',
    ]


def test_one_config_twice_is_refused(tiny, capsys):
    with pytest.raises(SystemExit):
        compare.main([str(tiny.distill), str(tiny.distill)])
    message = f'got two configs named {tiny.distill.parent.name}_distill; expected different configs, each once'
    assert message in capsys.readouterr().err


def test_configs_of_one_name_are_told_apart_by_their_folders(tiny, monkeypatch):
    named = []
    monkeypatch.setattr(comparing, 'run', lambda configs, *given, **more: named.append(list(configs)) or sys.exit())
    other = tiny.distill.parent / 'cached' / 'distill.py'
    other.parent.mkdir(exist_ok=True)
    other.write_text(f'_base_ = {str(tiny.distill)!r}\n')
    with pytest.raises(SystemExit):
        comparing.compare_configs([str(tiny.distill), str(other)])
    assert named == [[f'{tiny.distill.parent.name}_distill', 'cached_distill']]


@pytest.mark.slow
def test_comparison_ends_with_the_table_and_is_not_run_twice(tiny):
    init_default_scope('mmaction')
    first = tiny.run('compare.py', 'distill.py', '--jobs', 2).stdout
    folder = tiny.folder / 'work_dirs' / 'compare' / 'distill'
    table = (folder / 'compare.txt').read_text()
    assert table in first and 'student distilled, seed 0: acc/top1' in first and '[3/3]' in first
    names = ('student_alone', 'student_distilled_distill')
    alone, distilled = (Config.fromfile(folder / name / 'seed0' / 'config.py') for name in names)
    assert alone.model == distilled.model.student
    for key in ('optim_wrapper', 'train_cfg', 'randomness', 'val_dataloader', 'test_dataloader'):
        assert alone[key] == distilled[key], key
    saved = Comparison.from_dict(json.loads((folder / 'compare.json').read_text()))
    rows = saved.sections[0].rows
    assert [len(row.scores) for row in rows] == [1, 1] and saved.chance == 0.125
    assert all(row.cpu_seconds[0] > 0 and row.gflops > 0 and 0 <= row.agreement[0] <= 1 for row in rows)
    assert [trial['val'] is not None for trial in saved.trials] == [True] * 3
    assert (folder / 'compare.png').read_bytes().startswith(b'\x89PNG')
    (folder / 'student_alone' / 'seed0' / 'result.json').write_text('{"metrics": {"acc')  # half of it
    more = tiny.run('compare.py', 'distill.py', '--add-seeds', 1).stdout
    assert f'{rows[0].scores[0]:.4f}' in more and 'seed 1' in (folder / 'compare.txt').read_text()
    assert len((folder / 'trials.jsonl').read_text().splitlines()) == 5  # the second reading of a run adds nothing
