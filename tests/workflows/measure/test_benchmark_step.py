import json
from dataclasses import replace

import pytest
import torch
from clips import make_set, pipeline
from mmengine.config import Config
from mmengine.registry import DefaultScope
from zoo import config_of

from dev import update_benchmarks
from mmkd_video.benchmark import Report, Timings, tensor_bytes
from mmkd_video.cli.benchmark import main
from mmkd_video.workflows.measure.pair import BenchmarkPair
from mmkd_video.workflows.measure.step import memory_rows, size_rows, time_rows
from mmkd_video.workflows.measure.training_memory import measure_training

pytestmark = pytest.mark.usefixtures('quiet_machine')


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    root = tmp_path_factory.mktemp('benchmark')
    make_set(root / 'clips', count=3)
    student, teacher = config_of('tsm_mobilenet')[0], config_of('i3d')[0]
    feature = dict(type='FitNetLoss', at=('backbone.conv2', 'backbone.layer4'))
    views = dict(type='DistillViews', student=pipeline(), teacher=pipeline(train=False, layout='NCTHW'))
    Config(
        dict(
            model=dict(
                type='Distiller',
                student=student,
                teacher=dict(config=teacher, checkpoint='not/there.pth'),
                terms=[dict(type='KDLoss', at='logits'), feature],
            ),
            train_dataloader=dict(
                batch_size=2,
                dataset=dict(
                    type='VideoDataset',
                    ann_file=str(root / 'clips' / 'list.txt'),
                    data_prefix=dict(video=str(root / 'clips')),
                    pipeline=[views],
                ),
            ),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
        )
    ).dump(root / 'tiny.py')
    return str(root / 'tiny.py')


def run(config, tmp_path, *more):
    out = tmp_path / 'out.json'
    arguments = [
        'step',
        config,
        '--pairs',
        '2',
        '--max-rounds',
        '2',
        '--warmup',
        '1',
        '--memory-runs',
        '0',
        '--out',
        str(out),
        *more,
    ]
    return main(arguments), json.loads(out.read_text())


def test_two_pairs_give_every_row(config, tmp_path, capsys):
    page = tmp_path / 'page.md'
    page.write_text('<!-- begin benchmark step -->\n<!-- end benchmark step -->\n')
    report, saved = run(config, tmp_path)
    update_benchmarks.main([str(tmp_path / 'out.json'), '--page', str(page)])
    assert [row['name'] for row in saved['rows']] == [row.name for row in report.rows]
    rows = {row.name: row for row in report.rows}
    sides = '(student step + teacher forward)'
    for kind, target in (('logits', 1.02), ('1 feature term', 1.05)):
        for clock in ('CPU', 'wall'):
            assert rows[f'distillation step, {kind} / {sides}, {clock} time'].target == target
        assert rows[f'state_dict, distillation step, {kind}'].met
    assert rows['decode calls per sample, distillation step'].value == 1
    assert rows['decode calls per sample, student step'].value == 1
    assert rows['frames decoded per sample, student step'].value == 8
    alone = rows['whole checkpoint file, student step'].value
    assert rows['whole checkpoint file, distillation step, logits'].value == pytest.approx(alone, rel=0.01)
    assert rows['whole checkpoint file, distillation step, 1 feature term'].value > alone
    assert {name: len(each['cpu']) for name, each in saved['raw']['seconds'].items()} == {
        'student step': 2, 'teacher forward': 2, 'logits': 2, 'features': 2,
    }  # fmt: skip
    assert 'too few to judge by' in report.facts['measured']
    for text in (page.read_text(), report.as_markdown()):
        assert f'| {saved["rows"][0]["name"]} |' in text
    assert 'saved in' in capsys.readouterr().out
    recorded = json.loads((tmp_path / 'step.json').read_text())
    assert Report.from_dict(recorded).as_markdown() in page.read_text() and 'raw' not in recorded


def test_a_teacher_in_the_state_dict_is_noticed(config):
    pair = BenchmarkPair.load(config, '', None)
    models = {'student': pair.plain(), 'logits': pair.distiller('logits')}
    models['logits'].student.stowaway = models['logits'].teachers['teacher'].module
    wrappers = {name: torch.optim.SGD(model.parameters(), 0.1) for name, model in models.items()}
    labels = dict(student='student', logits='logits')
    fat = next(row for row in size_rows(models, wrappers, labels) if row.name == 'state_dict, logits')
    assert fat.met is False
    weights = tensor_bytes(models['logits'].student.stowaway.state_dict())
    assert fat.value == pytest.approx(fat.target + weights)


def test_constructors_of_mmaction_are_found_outside_its_scope(config):
    mmaction = dict(constructor='TSMOptimWrapperConstructor', optimizer=dict(type='SGD', lr=0.1))
    pair = replace(BenchmarkPair.load(config, '', None), optim_wrapper=dict(mmaction, paramwise_cfg=dict(fc_lr5=True)))
    with DefaultScope.overwrite_default_scope('mmengine'):
        rates = {group['lr'] for group in pair.wrap(pair.plain()).optimizer.param_groups}
    assert rates == {0.1, 0.2, 0.5, 1.0}  # biases twice, the classifier five times as fast


def test_only_cpu_times_are_told_of_rounds_beside_other_load():
    names = ('student step', 'teacher forward', 'logits', 'features')
    timings = {name: Timings([9.0] * 6, [1.0] * 6, True) for name in names}
    rows = time_rows(timings, dict.fromkeys(names, 'x'), 'cpu')
    told = {row.name.rpartition(', ')[2]: row.cells()[1] for row in rows}
    assert told == {'CPU time': '0.500 x', 'wall time': 'not measured: other load'}
    assert {row.verdict for row in rows if row.target is not None} == {'met', 'not shown'}


def test_memory_is_told_in_teachers_weights():
    peaks = dict(student=[100, 90, 500], logits=[210, 190, 200], features=[260, 250, 240])
    rows = {row.name: row for row in memory_rows(peaks, 100, 20, dict.fromkeys(peaks, 'x'))}
    above = 'memory above student step / teacher weights, '
    assert (rows[above + 'logits'].value, rows[above + 'logits'].met) == (1.0, True)
    assert (rows[above + 'features'].value, rows[above + 'features'].met) == (1.5, False)
    assert rows['of which training of connectors, features'].value == 0.2


@pytest.mark.slow
def test_memory_is_measured_in_processes_of_their_own(config):
    job = dict(pair=dict(config=config, clips='', batch_size=2), device='cpu', threads=1)
    peaks = {variant: measure_training(dict(job, variant=variant)) for variant in ('student', 'features')}
    assert 50e6 < peaks['student'] < 5e9
    assert peaks['features'] > peaks['student']
    with pytest.raises(RuntimeError, match='nowhere'):
        measure_training(dict(job, variant='student', pair=dict(config='nowhere.py', clips='', batch_size=1)))


def test_the_teacher_alone_gives_what_it_gives_in_the_step(config):
    pair = BenchmarkPair.load(config, '', None)
    model, batch = pair.distiller('logits'), pair.batch()
    seen = []
    handle = torch.nn.modules.module.register_module_forward_hook(
        lambda module, _, output: seen.append(output) if type(module).__name__ == 'I3DHead' else None
    )
    try:
        pair.teacher_forward(model, batch)()
        model(**model.data_preprocessor(batch, True), mode='loss')
    finally:
        handle.remove()
    assert not seen[0].requires_grad
    torch.testing.assert_close(seen[0], seen[-1], rtol=0, atol=0)


def test_features_from_the_command_line(config):
    pair = BenchmarkPair.load(config, '', 1, ['backbone.layer3:backbone.layer2', 'pooled:pooled'])
    assert [term['at'] for term in pair.feature_terms] == [('backbone.layer3', 'backbone.layer2'), ('pooled', 'pooled')]
    with pytest.raises(ValueError, match='STUDENT_TAP:TEACHER_TAP'):
        BenchmarkPair.load(config, '', 1, ['backbone.layer3'])


def test_a_plain_config_is_refused(config, tmp_path, capsys):
    plain = Config.fromfile(config)
    plain.model = dict(_delete_=True, type='Recognizer2D')
    plain.dump(tmp_path / 'plain.py')
    with pytest.raises(SystemExit):
        main(['step', str(tmp_path / 'plain.py')])
    assert "expected 'Distiller'" in capsys.readouterr().err
