"""The page about work dirs: what is in it, what is left out with a line, and what is not live in it."""

import html.parser
import json
import re
import shutil

import numpy as np
import pytest
from made_up_runs import CLIPS, deployments, made_up_comparison, with_line, write_scores

from mmkd_video.cli.report import main
from mmkd_video.workflows.compare.arms import DISTILLED
from mmkd_video.workflows.report import clip_panel
from mmkd_video.workflows.report.report import write_report

PANELS = [
    'Outcome',
    'Training',
    'Terms of distillation',
    'Agreement with the teacher',
    'Gain of each class',
    'Confusions mended and made',
    'Calibration',
    'Clips',
    'Latency',
]
LIVE = '<script>alert(1)</script><img src=x onerror=alert(2)>'
ALLOWED = """html head meta title style body header main footer section article div span p b a ul li pre h1 h2 h3 h4
    table thead tbody tr th td details summary figure figcaption picture source img svg path circle polygon text"""


class Seen(html.parser.HTMLParser):
    """Every element, attribute and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.names, self.attributes, self.texts = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)


def page_of(folders, folder, **given):
    target, parts = write_report(folders, out=folder / 'page.html', data_root=folder, **given)
    return target.read_text(), parts


def text_of(page):
    return ' '.join(' '.join(Seen(page).texts).split())


def section_of(page, title):
    return next(part for part in page.split('<section>') if part.startswith(f'<h3>{title}</h3>'))


@pytest.fixture
def work(tmp_path):
    return made_up_comparison(tmp_path)


def test_all_panels_are_there_with_their_charts(work, tmp_path):
    (work / 'deploy.json').write_text(json.dumps(deployments()))
    page, (part,) = page_of([work], tmp_path)
    assert re.findall('<h3>(.*?)</h3>', page) == [*PANELS, 'Command']
    assert 'Left out' not in page and part.problems == []
    names = 'seeds gains train-loss validation term-1-raw term-1-weighted term-1-gradients agreement-1 divergence-1'
    assert [chart.name for chart in part.charts] == [*names.split(), 'classes-1', 'reliability', 'latency']
    assert page.count('<svg class="chart"') == 12
    assert all(chart.caption and re.search(r'\d', chart.caption + chart.title) for chart in part.charts)


def test_the_outcome_is_that_of_the_comparison(work, tmp_path):
    text = text_of(section_of(page_of([work], tmp_path)[0], 'Outcome'))
    assert 'mean gain +19.25 points' in text and 'won 2 of 2' in text
    assert 'worst seed 60.00 → 79.50' in text and 'acc/top1 on test' in text
    assert 'distilled - alone +19.25 ± 1.06' in text


def test_losses_are_compared_before_their_weight(work, tmp_path):
    (part,) = page_of([work], tmp_path)[1]
    chart = next(chart for chart in part.charts if chart.name == 'train-loss')
    means = [line for line in chart.lines if line.kind == 'mean']
    assert [line.look for line in means] == ['alone', 'distilled']
    assert [y for _, y in means[0].points] == pytest.approx([y for _, y in means[1].points])
    assert 'before their weight' in chart.caption and 'alone 2, distilled 2' in chart.caption


def test_a_recipe_that_is_not_known_leaves_the_losses_as_they_were_logged(work, tmp_path):
    (work / 'student_distilled_c' / 'seed0' / 'config.py').write_text('model = made()')
    (part,) = page_of([work], tmp_path)[1]
    assert 'after their weight' in next(chart for chart in part.charts if chart.name == 'train-loss').caption


def test_arms_have_one_look_everywhere(work, tmp_path):
    (work / 'deploy.json').write_text(json.dumps(deployments()))
    (part,) = page_of([work], tmp_path)[1]
    looks = {(name.removeprefix('student '), look) for chart in part.charts for name, look, _ in chart.legend}
    assert {('alone', 'alone'), ('distilled', 'distilled'), ('teacher', 'teacher')} <= looks
    assert not {(name, look) for name, look in looks if name in ('alone', 'distilled', 'teacher') and name != look}


def test_clips_play_and_have_the_scores_of_all(work, tmp_path):
    page, _ = page_of([work], tmp_path, num_clips=4)
    cards = section_of(page, 'Clips')
    assert cards.count('<article') == 4 and cards.count('src="data:image/webp;base64,') == 4
    assert cards.count('prefers-reduced-motion') == 4
    text = text_of(cards)
    assert 'mended by distillation' in text and f'4 clips of {CLIPS} of test' in text
    assert all(f'{arm} ' in text for arm in ('teacher', 'alone', 'distilled')) and 'of 2 seeds' in text
    assert '<article' not in section_of(page_of([work], tmp_path, num_clips=0)[0], 'Clips')


def test_clips_take_no_more_room_than_they_may(work, tmp_path, monkeypatch):
    whole = len(page_of([work], tmp_path)[0])
    monkeypatch.setattr('mmkd_video.workflows.report.report.ROOM', 3000)
    page = page_of([work], tmp_path)[0]
    assert len(page) < whole - 3000 and 'without a picture' in page
    assert clip_panel.ROOM < 8e6


def test_clips_that_are_not_there_are_told_with_what_to_do(work, tmp_path):
    shutil.rmtree(tmp_path / 'data')
    page, (part,) = page_of([work], tmp_path)
    assert 'no picture' in page and '--data-root' in section_of(page, 'Clips')
    assert 'no names of the 3 classes were found' in part.problems[0] and 'class 1' in page


def test_class_names_and_gains_are_those_of_the_scores(work, tmp_path):
    text = text_of(section_of(page_of([work], tmp_path)[0], 'Gain of each class'))
    assert 'up' in text and 'down' in text and '20 clips a class' in text and 'mean over 2 seeds' in text


def test_nothing_of_names_is_live(tmp_path):
    folder = tmp_path / '"><script>alert(3)<'
    work = made_up_comparison(
        folder, classes=('up', f'a{LIVE}', 'x" onload="alert(4)'), arm_name=f'{DISTILLED}: {LIVE}'
    )
    comparison = json.loads((work / 'compare.json').read_text())
    comparison |= dict(command=f'compare {LIVE}', notes=[LIVE], missing=[f'{LIVE} seed 1'])
    (work / 'compare.json').write_text(json.dumps(comparison))
    made = deployments()
    made['facts'] = {LIVE: LIVE}
    made['deployments'][0] |= dict(model=LIVE, runtime=LIVE)
    (work / 'deploy.json').write_text(json.dumps(made))
    with_line(
        work / 'student_distilled_c' / 'seed0',
        json.dumps({'step': 20, 'iter': 20, f'loss_{LIVE}': 1, f'{LIVE}_raw': 1}),
    )
    with_line(work / 'student_distilled_c' / 'seed1', f'{{"{LIVE}')
    page, parts = page_of([work], folder)
    seen = Seen(page)
    assert seen.names <= set(ALLOWED.split())
    assert not [name for name, _ in seen.attributes if name.startswith('on')]
    assert any('<script>alert(1)' in text for text in seen.texts), 'names are shown as they are'
    assert all(value.startswith(('data:', '#')) for name, value in seen.attributes if name in ('src', 'srcset', 'href'))


def test_nothing_is_fetched(work, tmp_path):
    page, _ = page_of([work], tmp_path)
    assert "default-src 'none'" in page and '<script' not in page and '<link' not in page
    assert not re.findall(r'(?:https?:)?//[a-z]', re.sub('base64,[^"]*', '', page)) and '@import' not in page


def test_single_trainings_come_together(work, tmp_path):
    runs = [work / 'student_alone' / 'seed0', work / 'student_distilled_c' / 'seed0']
    page, (part,) = page_of(runs, tmp_path)
    assert 'Outcome' not in page and str(runs[0]) in part.title and str(runs[1]) in part.title
    assert {name for name, _, _ in part.charts[0].legend} == {str(run) for run in runs}  # both are called seed0
    assert 'Gain of each class' in page and '<article' in page


def test_a_training_without_scores_says_what_is_missing(work, tmp_path):
    run = work / 'student_distilled_c' / 'seed0'
    (run / 'test_scores.npz').unlink()
    page, (part,) = page_of([run], tmp_path)
    assert text_of(section_of(page, 'Calibration')).startswith('Calibration Left out: no run has its scores')
    assert [chart.name for chart in part.charts][:2] == ['train-loss', 'validation']
    assert 'test_scores.npz: not there' in part.problems[0]


def test_what_compress_leaves_is_shown(work, tmp_path):
    made = tmp_path / 'compress'
    shutil.copytree(work / 'student_alone' / 'seed0', made / 'student_alone')
    shutil.copytree(work / 'student_distilled_c' / 'seed0', made / 'student_distilled')
    shutil.copytree(work / 'student_distilled_c' / 'seed1', made / 'prune')
    measured = deployments()
    for name in ('student pruned', 'student int8'):
        measured['deployments'].append(dict(measured['deployments'][1], model=name))
    (made / 'deploy.json').write_text(json.dumps(measured))
    page, (part,) = page_of([made], tmp_path)
    looks = [dict((name, look) for name, look, _ in chart.legend) for chart in part.charts]
    assert looks[0] == {'alone': 'alone', 'distilled': 'distilled', 'pruned': 'distilled-1'}
    assert looks[-1]['student pruned'] == 'distilled-1' and looks[-1]['student int8'] == 'distilled-2'
    assert {'train-loss', 'classes-1', 'latency'} <= {chart.name for chart in part.charts}
    assert '4 models in runtimes' in page


def test_a_teacher_of_other_clips_is_not_shown_beside_them(work, tmp_path):
    labels = np.arange(9) % 3
    write_scores(work / 'teacher' / 'i3d', labels, [f'other_{at}' for at in range(9)], 1.0, 0, 3)
    page, _ = page_of([work], tmp_path)
    assert '>teacher</span>' not in section_of(page, 'Clips') and '>alone</span>' in section_of(page, 'Clips')
    assert 'teacher' in section_of(page, 'Calibration')


def test_without_a_student_alone_the_rest_is_there(tmp_path):
    work = made_up_comparison(tmp_path, clips=6)
    page, (part,) = page_of([work / 'student_distilled_c' / 'seed0'], tmp_path)
    told = text_of(section_of(page, 'Gain of each class'))
    assert told == 'Gain of each class Left out: there are no scores of a student alone to compare with.'
    assert 'NLL' in section_of(page, 'Calibration') and 'reliability' not in {chart.name for chart in part.charts}


def test_pictures_are_written_where_asked(work, tmp_path):
    _, (part,) = page_of([work], tmp_path, pictures=tmp_path / 'png')
    names = {path.name for path in (tmp_path / 'png').iterdir()}
    assert names == {f'{chart.name}.png' for chart in part.charts}
    assert all(path.read_bytes().startswith(b'\x89PNG') for path in (tmp_path / 'png').iterdir())


def told(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in arguments])
    return ended.value.code, capsys.readouterr().err.strip()


def test_its_own_page_is_replaced_and_no_other_file(work, tmp_path, capsys):
    main([str(work), '--clips', '0'])
    main([str(work), '--clips', '0'])
    assert f'{work}/report.html: ' in capsys.readouterr().out
    other = tmp_path / 'other.html'
    other.write_text('mine')
    code, said = told([work, '--out', other], capsys)
    assert (code, other.read_text()) == (1, 'mine')
    assert said == f'error: --out: {other} exists; give another name, or --force to replace it'
    main([str(work), '--out', str(other), '--force', '--clips', '0'])
    assert other.read_text().startswith('<!doctype html>')


def test_no_picture_of_others_is_replaced(work, tmp_path, capsys):
    (tmp_path / 'seeds.png').write_text('mine')
    code, said = told([work, '--out', tmp_path / 'new.html', '--pictures', tmp_path], capsys)
    assert code == 1 and said.startswith(f'error: --pictures: {tmp_path}/seeds.png exists')
    assert (tmp_path / 'seeds.png').read_text() == 'mine' and not (tmp_path / 'new.html').exists()


def test_a_folder_without_anything_is_told(tmp_path, capsys):
    code, said = told([tmp_path], capsys)
    assert code == 1 and 'nothing of compare, train or compress is in it; expected compare.json' in said
    assert not list(tmp_path.iterdir())
