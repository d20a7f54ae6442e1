"""``tools/benchmark.py losses`` on tiny models: each config beside the baseline, other pairs refused."""

import json

import pytest
import yaml
from clips import make_set, pipeline
from mmengine.config import Config
from zoo import config_of

from dev import update_benchmarks
from mmkd_video.cli.benchmark import main
from mmkd_video.workflows.measure.pair import BenchmarkPair

pytestmark = pytest.mark.usefixtures('quiet_machine')

KD = dict(type='KDLoss', at='logits')
FITNET = dict(type='FitNetLoss', at=('backbone.conv2', 'backbone.layer4'))


@pytest.fixture(scope='module')
def configs(tmp_path_factory):
    """Paths of two configs of one pair: KD alone, and with a feature loss."""
    root = tmp_path_factory.mktemp('losses')
    make_set(root / 'clips', count=2)
    views = dict(type='DistillViews', student=pipeline(), teacher=pipeline(train=False, layout='NCTHW'))
    where = dict(ann_file=str(root / 'clips' / 'list.txt'), data_prefix=dict(video=str(root / 'clips')))
    loader = dict(batch_size=2, dataset=dict(type='VideoDataset', pipeline=[views], **where))
    for name, terms in dict(kd=[KD], fitnet=[KD, FITNET]).items():
        teacher = dict(config=config_of('i3d')[0], checkpoint='not/there.pth')
        model = dict(type='Distiller', student=config_of('tsm_mobilenet')[0], teacher=teacher, terms=terms)
        optimizer = dict(optimizer=dict(type='SGD', lr=1e-3))
        Config(dict(model=model, train_dataloader=loader, optim_wrapper=optimizer)).dump(root / f'{name}.py')
    return {name: str(root / f'{name}.py') for name in ('kd', 'fitnet')}


def run(configs, tmp_path, *more):
    given = ['--baseline', configs['kd'], '--pairs', '2', '--max-rounds', '2', '--warmup', '1', '--memory-runs', '0']
    return main(['losses', *more, *given, '--out', str(tmp_path / 'out.json')])


def test_every_config_is_measured_beside_the_baseline(configs, tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('<!-- begin benchmark losses -->\n<!-- end benchmark losses -->\n')
    costs = run(configs, tmp_path, configs['fitnet'])
    update_benchmarks.main([str(tmp_path / 'out.json'), '--page', str(page)])
    assert list(costs.costs) == ['fitnet'] and costs.costs['fitnet'].target == 1.05
    assert '| fitnet | KDLoss at logits, FitNetLoss at backbone.conv2 |' in page.read_text()
    assert yaml.safe_load((tmp_path / 'losses' / 'costs.yml').read_text())['costs']['fitnet']['target'] == 1.05
    saved = json.loads((tmp_path / 'out.json').read_text())
    assert {name: len(each['cpu']) for name, each in saved['raw']['seconds'].items()} == {'kd': 2, 'fitnet': 2}


def test_losses_with_a_memory_know_which_clips_they_see(configs):
    batch = BenchmarkPair.load(configs['kd'], '', 3, None).batch()
    assert [sample.metainfo['sample_idx'] for sample in batch['data_samples']] == [0, 1, 0]


def test_another_pair_is_refused(configs, tmp_path, capsys):
    other = Config.fromfile(configs['fitnet'])
    other.optim_wrapper.optimizer.lr = 1.0
    other.dump(tmp_path / 'other.py')
    with pytest.raises(SystemExit):
        run(configs, tmp_path, str(tmp_path / 'other.py'))
    assert 'other: its optim_wrapper is not that of the baseline' in capsys.readouterr().err
