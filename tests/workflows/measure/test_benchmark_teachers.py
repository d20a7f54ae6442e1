"""``tools/benchmark.py teachers``: steps of one student with each kind of teacher."""

import json
from pathlib import Path

import masked_students
import pytest
import tiny
import zoo

from mmkd_video.benchmark import Timings
from mmkd_video.cli.benchmark import main
from mmkd_video.workflows.measure.pair import BenchmarkPair
from mmkd_video.workflows.measure.teachers import memory_rows, time_rows

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.usefixtures('quiet_machine')


def test_ratios_are_to_the_baseline_round_by_round():
    timings = {
        name: Timings(wall=[9.0] * 20, cpu=cpu)
        for name, cpu in dict(alone=[1.0, 2.0] * 10, frozen=[2.0, 4.0] * 10, peer=[3.0, 6.0] * 10).items()
    }
    rows = {row.name: row.value for row in time_rows(timings, 'frozen', 'cpu')}
    assert rows == {'a step, frozen': 3.0, 'a step, alone / frozen': 0.5, 'a step, peer / frozen': 1.5}


def test_memory_is_what_is_above_the_baseline():
    rows = {row.name: row.value for row in memory_rows(dict(alone=[70], frozen=[90, 110, 100], peer=[160]), 'frozen')}
    assert rows == {'peak memory, frozen': 100, 'peak memory, alone - frozen': -30, 'peak memory, peer - frozen': 60}
    assert memory_rows({}, 'frozen') == []


@pytest.mark.slow
def test_every_shipped_kind_is_measured(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    quick = ['--rounds', '1', '--max-rounds', '1', '--warmup', '0', '--memory-runs', '0', '--batch-size', '2']
    report = main(['teachers', *quick, '--out', str(tmp_path / 'out.json')])
    names = {row.name for row in report.rows}
    assert 'a step, i3d_to_mobilenet' in names and 'a step, student alone / i3d_to_mobilenet' in names
    for folder in ('ensemble', 'ema', 'peers', 'self'):
        for path in (ROOT / 'configs' / folder).glob('*.py'):
            assert f'a step, {folder}/{path.stem} / i3d_to_mobilenet' in names
    assert json.loads((tmp_path / 'out.json').read_text())['benchmark'] == 'teachers'


def test_another_student_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit):
        main(['teachers', 'configs/distill/i3d_to_resnet.py', '--out', str(tmp_path / 'out.json')])
    told = capsys.readouterr().err
    assert 'i3d_to_resnet: its student is not that of i3d_to_mobilenet; expected one student for all' in told


def test_a_masked_student_is_measured_with_its_mask(tmp_path):
    teacher = dict(config=tiny.recognizer(), checkpoint=None)
    term = dict(type='CosineLoss', at=('backbone.blocks.1', 'backbone.layer1'))
    model = dict(masked_students.config(dict(type='TubeMask', ratio=0.75), [term]), teacher=teacher)
    path = tmp_path / 'masked.py'
    bases = [str(ROOT / 'configs' / each) for each in ('students/mobilenet3d_motion.py', '_base_/mmkd.py')]
    path.write_text(f'_base_ = {bases}\nmodel = dict(_delete_=True, **{model})\n')
    pair = BenchmarkPair.load(str(path), clips='', batch_size=2, features=None)
    built, data = pair.distiller('features'), zoo.batch_for(masked_students.student(), masked_students.SIZE)
    seen = []
    built.student.backbone.blocks[0].register_forward_hook(lambda _m, _i, output: seen.append(output.shape[1]))
    built(**built.data_preprocessor(data, True), mode='loss')
    assert seen == [8]
