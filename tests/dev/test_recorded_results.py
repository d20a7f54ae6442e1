"""Results are data: the documents say what the metafile says."""

import json
from pathlib import Path

import pytest
import yaml

from dev import report
from mmkd_video.benchmark import DeploymentReport
from mmkd_video.workflows.compare.arms import ALONE, AS_LONG, DISTILLED
from mmkd_video.workflows.compare.result import Comparison, Row, Section

ROOT = Path(__file__).resolve().parents[2]


def measured(config, score):
    rows = [
        Row(kind, kind, 'recipe untouched', {}, [score], [None], [0.5], [60.0], [50.0], 1000, 0.1)
        for kind in (ALONE, DISTILLED)
    ]
    sections, name = [Section('recipe untouched', rows)], Path(config).stem
    return Comparison({name: config}, f'python tools/compare.py {config}', 'acc/top1', [0], [], sections).as_dict()


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


def test_a_comparison_of_several_configs_has_the_name_of_its_folder():
    metafile, several = dict(Models=[]), measured('configs/distill/a.py', 0.5)
    several['configs']['b'] = 'configs/distill/b.py'
    assert report.record(metafile, several, folder='both') == Path('docs/compare_both.png')
    assert [model['Name'] for model in metafile['Models']] == ['both']


def test_a_comparison_may_stand_on_a_page_of_its_own(record):
    page = Path('docs/teachers/README.md')
    page.parent.mkdir()
    page.write_text('<!-- begin results -->\n<!-- end results -->\n')
    report.main(['run', '--page', str(page)])
    report.main(['run'])
    assert '87.50' in page.read_text() and '](compare_i3d_to_mobilenet.png)' in page.read_text()
    assert page.with_name('compare_i3d_to_mobilenet.png').is_file()
    assert '87.50' not in report.RESULTS.read_text() and '87.50' in report.README.read_text()
    assert report.pages_of(yaml.safe_load(report.METAFILE.read_text())) == [report.RESULTS, page]


def test_label_and_note_stay_unless_others_are_given():
    metafile, name = dict(Models=[]), 'configs/distill/a.py'
    report.record(metafile, measured(name, 0.5))
    assert metafile['Models'][0]['Metadata']['Training Data'] == 'motion clips'
    report.record(metafile, measured(name, 0.5), 'clips', 'Read with care.')
    report.record(metafile, measured(name, 0.75))
    (model,) = metafile['Models']
    assert (model['Metadata']['Training Data'], model['Note']) == ('clips', 'Read with care.')
    report.record(metafile, measured(name, 0.75), note='')
    assert 'Note' not in metafile['Models'][0]


def test_a_repeated_comparison_stands_beside_the_recorded_one():
    name = f'configs/distill/{next(iter(report.MAIN))}.py'
    metafile, other = dict(Models=[]), measured(name, 0.25)
    with pytest.raises(ValueError, match='is not recorded yet; record it without --repeated first'):
        report.repeat(metafile, other, 'Other rounding')
    report.record(metafile, measured(name, 0.5))
    other['findings'] = [dict(mean=0.1, wins=9, pairs=10, worst=-0.02, student=dict(low=0.05, high=0.15))]
    report.repeat(metafile, dict(other, seeds=[7]), 'Other rounding')
    report.repeat(metafile, other, 'Other rounding')
    assert [each['seeds'] for each in metafile['Models'][0]['Repeated'].values()] == [[0]]
    assert metafile['Models'][0]['Results'][0]['Metrics']['student alone'] == 0.5
    text = report.results_text(metafile)
    assert text.index('50.00') < text.index('### Other rounding') < text.index('25.00')
    told = 'Other rounding: +10.00 (+5.00 to +15.00), 9 of 10 seeds gain, worst pair -2.00.'
    assert f'{told} [The table](docs/results.md).' in report.main_text(metafile)
    other['sections'].append(dict(other['sections'][0], title='lr x2', in_grid=True))
    report.repeat(metafile, other, 'Other rounding')
    grid = 'Over the grid (lr x2): Student distilled: not more than one point below the student alone in 1 of 1 pairs.'
    assert f'{told} {grid} [The table](docs/results.md).' in report.main_text(metafile)
    longer = dict(other['sections'][0]['rows'][0], arm='student alone, as long', kind=AS_LONG, length='8 epochs')
    other['sections'][0]['rows'].append(longer)
    other['findings'].append(
        dict(
            section=other['sections'][0]['title'],
            minus='student alone, as long',
            mean=0.08,
            student=dict(low=0.06, high=0.1),
        )
    )
    report.repeat(metafile, other, 'Other rounding')
    as_long = 'Over the student alone for as long (8 epochs): +8.00 (+6.00 to +10.00).'
    assert f'{told} {as_long} {grid} [The table]' in report.main_text(metafile)
    report.record(metafile, measured(name, 0.75))
    assert 'Other rounding' not in report.results_text(metafile)


def test_the_readme_shows_the_main_examples_in_their_order():
    metafile = dict(Models=[])
    for name in ('a_third', *reversed(report.MAIN)):
        report.record(metafile, measured(f'configs/distill/{name}.py', 0.5))
    text = report.main_text(metafile)
    places = [text.index(f'**{title}** (`configs/distill/{name}.py`)') for name, title in report.MAIN.items()]
    assert places == sorted(places) and 'a_third' not in text


def test_documents_say_what_the_metafile_says():
    metafile = yaml.safe_load((ROOT / report.METAFILE).read_text())
    for page in report.pages_of(metafile):
        assert report.results_text(metafile, page) in (ROOT / page).read_text()
    assert report.main_text(metafile) in (ROOT / report.README).read_text()


def test_documents_show_the_recorded_deployment():
    saved = ROOT / report.DEPLOYED
    deployment = DeploymentReport.from_dict(json.loads(saved.read_text()))
    assert deployment.highlights() in (ROOT / report.README).read_text()
    assert report.deploy_text(deployment) in (ROOT / report.BENCHMARKS).read_text()
    assert saved.with_suffix('.png').read_bytes().startswith(b'\x89PNG')


def test_documents_show_the_recorded_benchmarks_judged_as_the_code_judges(monkeypatch):
    monkeypatch.chdir(ROOT)
    found = report.recorded_benchmarks()
    assert {'benchmark step', 'benchmark stream', 'benchmark losses'} <= {name for _, name, _ in found}
    assert all(text in (ROOT / path).read_text() for path, _, text in found)


@pytest.fixture
def record(tmp_path, monkeypatch):
    """Be in a folder with documents, a comparison in ``run`` and a deployment in ``out``."""
    monkeypatch.chdir(tmp_path)
    marks = ''.join(
        f'<!-- begin {name} -->\n<!-- end {name} -->\n' for name in ('results', 'deploy', 'benchmark deploy')
    )
    for path in (report.METAFILE, report.RESULTS, report.README, report.BENCHMARKS):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('Models: []\n' if path == report.METAFILE else marks)
    for folder in ('run', 'out'):
        (tmp_path / folder).mkdir()
    comparison = measured('configs/distill/i3d_to_mobilenet.py', 0.875)
    (tmp_path / 'run' / 'compare.json').write_text(json.dumps(comparison))
    (tmp_path / 'run' / 'compare.png').write_bytes(b'a picture')
    for path in (report.DEPLOYED, report.PICTURE):
        (tmp_path / 'out' / path.name).write_bytes((ROOT / path).read_bytes())
    return tmp_path


def test_recording_writes_all_files(record):
    report.main(['run', '--data', 'some clips', '--deploy', 'out'])
    assert all('0.875' in path.read_text() or '87.50' in path.read_text() for path in (report.RESULTS, report.README))
    assert yaml.safe_load(report.METAFILE.read_text())['Models'][0]['Metadata']['Training Data'] == 'some clips'
    assert Path('docs/compare_i3d_to_mobilenet.png').read_bytes() == b'a picture'
    assert '](compare_i3d_to_mobilenet.png)' in report.RESULTS.read_text()
    deployment = DeploymentReport.from_dict(json.loads((ROOT / report.DEPLOYED).read_text()))
    assert deployment.highlights() in report.README.read_text()
    assert report.deploy_text(deployment) in report.BENCHMARKS.read_text()
    for path in (report.DEPLOYED, report.PICTURE):
        assert path.read_bytes() == (ROOT / path).read_bytes()


def without_scores():
    comparison = measured('configs/distill/i3d_to_mobilenet.py', 0.875)
    del comparison['sections'][0]['rows'][0]['scores']
    return json.dumps(comparison)


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('run/compare.json', None, 'run/compare.json does not exist; give the folder of a comparison'),
        ('run/compare.json', '{"config": ', 'run/compare.json is not what tools/compare.py writes (ValueError: '),
        ('run/compare.json', '[]', 'run/compare.json is not what tools/compare.py writes (ValueError: '),
        (
            'run/compare.json',
            '{"config": "a.py"}',
            'run/compare.json is not what tools/compare.py writes (ValueError: got format 1, expected 2',
        ),
        ('run/compare.png', None, 'run/compare.png does not exist; run the comparison again'),
        ('run/compare.json', without_scores(), 'run/compare.json is not what tools/compare.py writes ('),
        ('out/deploy.json', None, 'out/deploy.json does not exist; give the work dir of a compression'),
        (
            'out/deploy.json',
            '{"title": "Mod',
            'out/deploy.json is not what tools/compress.py writes (ValueError: ',
        ),
        ('out/deploy.json', '{}', "out/deploy.json is not what tools/compress.py writes (KeyError: 'deployments'"),
        ('out/deploy.png', None, 'out/deploy.png does not exist; give the work dir of a compression'),
        (report.METAFILE, None, f'{report.METAFILE} does not exist; call it in the root of the repository'),
        (report.METAFILE, 'Models: [', f'{report.METAFILE} is not what dev/report.py writes (ParserError: '),
        (report.METAFILE, '[]', f'{report.METAFILE} is not what dev/report.py writes (AttributeError: '),
        (report.RESULTS, 'x', f"{report.RESULTS}: expected one '<!-- begin results -->'"),
        (report.BENCHMARKS, None, "No such file or directory: 'docs/benchmarks.md'"),
    ],
)
def test_what_cannot_be_recorded_is_told_before_anything_is_written(record, capsys, name, text, message):
    if text is None:
        (record / name).unlink()
    else:
        (record / name).write_text(text)
    before = {path: path.read_bytes() for path in record.rglob('*') if path.is_file()}
    with pytest.raises(SystemExit) as stop:
        report.main(['run', '--deploy', 'out'])
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith('error: ') and message in said and len(said.splitlines()) == 1
    assert {path: path.read_bytes() for path in record.rglob('*') if path.is_file()} == before
