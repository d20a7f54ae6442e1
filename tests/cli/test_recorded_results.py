"""Results are data: the documents say what the metafile says."""

import json
from pathlib import Path

import pytest
import yaml

from mmkd_video.benchmark import DeploymentReport
from mmkd_video.cli import report
from mmkd_video.cli.comparison import Comparison, Row

ROOT = Path(__file__).resolve().parents[2]


def measured(config, score):
    rows = [Row(name, 1000, 0.1, 'acc/top1') for name in ('student alone', 'student distilled')]
    for row in rows:
        row.add(0, score, 60.0)
    return Comparison(config, f'python tools/compare.py {config}', rows).as_dict()


def test_newer_comparison_takes_the_place_of_the_older():
    metafile = dict(Models=[])
    report.record(metafile, measured('configs/distill/b.py', 0.5), 'clips')
    report.record(metafile, measured('configs/distill/a.py', 0.5), 'clips', 'Read with care.')
    report.record(metafile, measured('configs/distill/b.py', 0.75), 'clips')
    assert [model['Name'] for model in metafile['Models']] == ['a', 'b']
    assert metafile['Models'][1]['Results'][0]['Metrics'] == {'student alone': 0.75, 'student distilled': 0.75}
    text = report.results_text(metafile)
    assert text.index('## a: clips') < text.index('Read with care.') < text.index('## b: clips') and '75.00' in text
    assert report.main_text(metafile) == 'Not recorded yet.'


def test_documents_say_what_the_metafile_says():
    metafile = yaml.safe_load((ROOT / report.METAFILE).read_text())
    assert report.results_text(metafile) in (ROOT / report.RESULTS).read_text()
    assert report.main_text(metafile) in (ROOT / report.README).read_text()


def test_documents_show_the_recorded_deployment():
    saved = ROOT / report.DEPLOYED
    deployment = DeploymentReport.from_dict(json.loads(saved.read_text()))
    assert deployment.highlights() in (ROOT / report.README).read_text()
    assert report.deploy_text(deployment) in (ROOT / report.BENCHMARKS).read_text()
    assert saved.with_suffix('.png').read_bytes().startswith(b'\x89PNG')


def test_recording_writes_all_three_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (report.METAFILE, report.RESULTS, report.README):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('<!-- begin results -->\n<!-- end results -->\n')
    report.METAFILE.write_text('Models: []\n')
    (tmp_path / 'run').mkdir()
    comparison = measured('configs/distill/i3d_to_mobilenet.py', 0.875)
    (tmp_path / 'run' / 'compare.json').write_text(json.dumps(comparison))
    report.main(['run', '--data', 'some clips'])
    assert all('0.875' in path.read_text() or '87.50' in path.read_text() for path in (report.RESULTS, report.README))
    assert yaml.safe_load(report.METAFILE.read_text())['Models'][0]['Metadata']['Training Data'] == 'some clips'


@pytest.mark.parametrize('arguments', [['nowhere'], ['--deploy', 'nowhere'], ['torn']])
def test_folders_that_hold_nothing_are_told_before_anything_is_written(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    report.METAFILE.parent.mkdir(parents=True)
    report.METAFILE.write_text('Models: []\n')
    (tmp_path / 'torn').mkdir()
    (tmp_path / 'torn' / 'compare.json').write_text('{"config": ')
    with pytest.raises(SystemExit) as stop:
        report.main(arguments)
    assert stop.value.code == 1
    assert 'expected folders that tools/compare.py or tools/compress.py wrote' in capsys.readouterr().err
    assert report.METAFILE.read_text() == 'Models: []\n' and not report.RESULTS.exists()
