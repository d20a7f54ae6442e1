"""Teacher, student alone and student distilled, with nothing else different."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmkd_video.cli import compare
from mmkd_video.cli.comparison import Comparison, Row
from mmkd_video.cli.complexity import measure_complexity
from mmkd_video.cli.run_folder import RunFolder
from mmkd_video.cli.training_clock import META_KEY, TrainingClock


def comparison_of(alone, distilled):
    rows = [Row('teacher', 2_100_000, 0.2, 'acc/top1'), Row('student alone', 700_000, None, 'acc/top1')]
    rows.append(Row('student distilled', 700_000, 0.04, 'acc/top1'))
    rows[0].add(None, 0.95, None)
    for seed, (without, taught) in enumerate(zip(alone, distilled, strict=True)):
        rows[1].add(seed, without, 59.0)
        rows[2].add(seed, taught, 125.4)
    return Comparison('c.py', 'python tools/compare.py c.py', rows)


def test_table_shows_seeds_mean_and_sample_deviation():
    comparison = comparison_of([0.6, 0.8], [0.7, 0.7])
    lines = comparison.as_text().splitlines()
    found = [' '.join(line.split()) for line in lines]
    assert found[0] == 'params GFLOPs seed 0 seed 1 acc/top1 on test training'
    assert found[2] == 'teacher 2.10 M 0.200 95.00 -'
    assert found[3] == 'student alone 0.70 M - 60.00 80.00 70.00 ± 14.14 0:59'
    assert found[4] == 'student distilled 0.70 M 0.040 70.00 70.00 70.00 ± 0.00 2:05'
    assert found[5] == 'distilled - alone +10.00 -10.00 +0.00 ± 14.14'
    assert len({len(line) for line in lines[3:5]}) == 1


def test_single_seed_has_no_deviation():
    text = comparison_of([0.6], [0.7]).as_text()
    assert '±' not in text and 'one seed' in text


def test_markdown_has_the_same_cells_and_the_command():
    comparison = comparison_of([0.6, 0.8], [0.7, 0.7])
    lines = comparison.as_markdown().splitlines()
    assert lines[4] == '| student distilled | 0.70 M | 0.040 | 70.00 | 70.00 | 70.00 ± 0.00 | 2:05 |'
    assert lines[-1] == '`python tools/compare.py c.py`'
    assert len({line.count('|') for line in lines[:6]}) == 1


def test_json_holds_every_number():
    comparison = comparison_of([0.6, 0.8], [0.7, 0.7])
    saved = json.loads(json.dumps(comparison.as_dict()))
    assert Comparison.from_dict(saved) == comparison
    assert saved['rows'][1]['deviation'] == pytest.approx(0.141421356)


def test_plain_config_is_refused(tiny, capsys):
    with pytest.raises(SystemExit):
        compare.main([str(tiny.student)])
    assert "expected 'Distiller'" in capsys.readouterr().err


def test_unknown_metric_names_the_known(tiny):
    with pytest.raises(ValueError, match="got 'f1'; the test measures acc/top1, acc/top5"):
        compare._pick({'acc/top1': 0.5, 'acc/top5': 1.0}, 'f1')
    assert compare._pick({'map': 0.5}, None) == ('map', 0.5)


def test_finished_run_is_read_and_one_of_another_config_refused(tmp_path):
    config = Config(dict(model=dict(type='Recognizer3D')))
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'result.json').write_text('{"metrics": {"acc/top1": 0.5}}')
    assert RunFolder(tmp_path / 'run', config).result()['metrics'] == {'acc/top1': 0.5}
    assert RunFolder(tmp_path / 'run', config).result()['metrics'] == {'acc/top1': 0.5}
    other = Config(dict(model=dict(type='Recognizer2D')))
    with pytest.raises(ValueError, match='holds a run of another config'):
        RunFolder(tmp_path / 'run', other).result()


def test_run_of_another_teacher_is_refused(tmp_path):
    teacher = tmp_path / 'teacher.pth'
    teacher.write_bytes(b'one')
    config = Config(dict(model=dict(type='Distiller', teacher=dict(config='t.py', checkpoint=str(teacher)))))
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'result.json').write_text('{}')
    RunFolder(tmp_path / 'run', config).result()
    teacher.write_bytes(b'two')
    with pytest.raises(ValueError, match='another teacher'):
        RunFolder(tmp_path / 'run', config).result()


def test_failed_run_shows_the_end_of_its_log(tmp_path):
    broken = tmp_path / 'broken.pth'
    broken.write_bytes(b'no checkpoint')
    with pytest.raises(RuntimeError, match='(?s)exit code 1.*console.log.*checkpoint'):
        RunFolder(tmp_path / 'run', Config(dict(model=dict())), broken).result()


def test_clock_counts_training_alone_and_goes_on_after_a_resume(monkeypatch):
    now = [0.0]
    monkeypatch.setattr('time.perf_counter', lambda: now[0])
    clock, checkpoint = TrainingClock(), dict(meta={})

    def after(seconds, call, *arguments):
        now[0] += seconds
        call(*arguments)

    clock.before_train(None)
    after(5, clock.before_val, None)
    after(100, clock.after_val, None)
    after(2, clock.before_save_checkpoint, None, checkpoint)
    assert checkpoint['meta'][META_KEY] == 7
    resumed, runner = TrainingClock(), type('Runner', (), dict(_resume=True))
    after(50, resumed.after_load_checkpoint, runner, checkpoint)
    resumed.before_train(None)
    after(3, resumed.after_train, None)
    after(9, lambda: None)
    assert resumed.seconds == 10
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


@pytest.mark.slow
def test_comparison_ends_with_the_table_and_is_not_run_twice(tiny):
    init_default_scope('mmaction')
    first = tiny.run('compare.py', 'distill.py', '--seeds', 0).stdout
    folder = tiny.folder / 'work_dirs' / 'compare' / 'distill'
    table = (folder / 'compare.txt').read_text()
    assert table in first and '[3/3] student distilled, seed 0: acc/top1' in first
    alone, distilled = (Config.fromfile(folder / f'student_{kind}/seed0/config.py') for kind in ('alone', 'distilled'))
    assert alone.model == distilled.model.student
    for key in ('optim_wrapper', 'train_cfg', 'randomness', 'val_dataloader', 'test_dataloader'):
        assert alone[key] == distilled[key], key
    saved = json.loads((folder / 'compare.json').read_text())
    assert [len(row['scores']) for row in saved['rows']] == [1, 1, 1]
    assert all(row['seconds'][0] > 0 and row['gflops'] > 0 for row in saved['rows'])
    again = tiny.run('compare.py', 'distill.py', '--seeds', 0).stdout
    assert 'Epoch' not in again and table in again
