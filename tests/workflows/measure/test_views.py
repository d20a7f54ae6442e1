"""``tools/benchmark.py views``: one teacher, students that see clips of other frames and sizes."""

import json

import pytest
import torch
from clips import make_set, pipeline
from mmengine.config import Config
from zoo import config_of

from mmkd_video.cli.benchmark import main
from mmkd_video.workflows.measure.pair import BenchmarkPair

pytestmark = pytest.mark.usefixtures('quiet_machine')


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    root = tmp_path_factory.mktemp('views')
    make_set(root / 'clips', count=3)
    student, teacher = config_of('tsm_mobilenet')[0], config_of('i3d')[0]
    views = dict(type='DistillViews', student=pipeline(), teacher=pipeline(train=False, layout='NCTHW'))
    terms = [dict(type='KDLoss', at='logits'), dict(type='FitNetLoss', at=('backbone.conv2', 'backbone.layer4'))]
    data = dict(
        type='VideoDataset',
        ann_file=str(root / 'clips' / 'list.txt'),
        data_prefix=dict(video=str(root / 'clips')),
        pipeline=[views],
    )
    teacher = dict(config=teacher, checkpoint=None)
    Config(
        dict(
            model=dict(type='Distiller', student=student, teacher=teacher, terms=terms),
            train_dataloader=dict(batch_size=2, dataset=data),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
        )
    ).dump(root / 'tiny.py')
    return str(root / 'tiny.py')


def run(config, out, *more):
    quick = ['--rounds', '2', '--max-rounds', '2', '--warmup', '0', '--memory-runs', '0', '--out', str(out)]
    return main(['views', config, *quick, *more])


@pytest.mark.slow
def test_every_shape_is_compared_with_the_first(config, tmp_path):
    report = run(config, tmp_path / 'out.json', '--student', '8x32', '4x32', '4x16')
    rows = {row.name: row for row in report.rows}
    decoded = [rows[f'frames decoded per sample, {shape}'].value for shape in ('8x32', '4x32', '4x16')]
    assert decoded[0] >= decoded[1] == decoded[2]
    for what in ('loading a sample', 'a training step', "the student's forward pass of a clip"):
        assert rows[f'{what}, 8x32'].unit == 's'
        assert {rows[f'{what}, {shape} / 8x32'].unit for shape in ('4x32', '4x16')} == {'ratio'}
    flops = [rows[f"GFLOPs of the student's clip, {shape}"].value for shape in ('8x32', '4x32', '4x16')]
    assert flops[0] == pytest.approx(2 * flops[1], rel=0.01) and flops[1] > 2 * flops[2]
    saved = json.loads((tmp_path / 'out.json').read_text())
    assert saved['benchmark'] == 'views' and [row['name'] for row in saved['rows']] == list(rows)


@pytest.mark.parametrize('shape', [(4, 16), (2, 48), (16, 32)])
def test_any_student_learns_from_the_same_view_of_the_teacher(config, shape):
    pair = BenchmarkPair.load(config, '', None, None, shape)
    batch = pair.batch()
    assert {each.shape for each in batch['inputs']} == {(shape[0], 3, shape[1], shape[1])}
    whole = BenchmarkPair.load(config, '', None, None).batch()
    assert {each.shape for each in batch['views']['teacher']} == {each.shape for each in whole['views']['teacher']}
    model = pair.distiller('all terms')
    before = [parameter.detach().clone() for parameter in model.student.backbone.parameters()]
    pair.training_step(model, pair.wrap(model), batch)()
    changed = [not torch.equal(a, b) for a, b in zip(before, model.student.backbone.parameters(), strict=True)]
    assert all(changed) and all(parameter.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize(
    ('shapes', 'told'),
    [
        (['8'], "--student: got '8'; expected FRAMESxSIZE, such as 8x112"),
        (['0x32'], "--student: got '0x32'; expected FRAMESxSIZE, such as 8x112"),
        (['8x32', '8x32'], '--student: got 8x32 8x32; expected each shape once'),
    ],
)
def test_a_wrong_shape_is_told(config, tmp_path, capsys, shapes, told):
    with pytest.raises(SystemExit) as ended:
        run(config, tmp_path / 'out.json', '--student', *shapes)
    assert ended.value.code and told in capsys.readouterr().err and not (tmp_path / 'out.json').exists()
