"""Pages of the losses: made from docstrings, one line each and measurements; a new loss without them fails here."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import mmkd_video.losses as losses
from dev import loss_pages, loss_sources
from dev.loss_accuracy import LossAccuracy
from dev.loss_docstring import LossDocstring
from mmkd_video.benchmark import Interval
from mmkd_video.losses.base import DistillLoss
from mmkd_video.workflows.compare.arms import ALONE, DISTILLED
from mmkd_video.workflows.compare.result import Comparison, Row, Section, Teacher
from mmkd_video.workflows.measure.loss_costs import LossCost, LossCosts

ROOT = Path(__file__).resolve().parents[2]
AGAIN = 'a page is out of date: python -m dev.loss_pages'


@pytest.fixture(scope='module')
def sources():
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        return loss_sources.Sources.read()
    finally:
        os.chdir(before)


def test_pages_are_up_to_date(sources):
    wanted = {str(path): text for path, text in loss_pages.pages(sources).items()}
    found = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / loss_sources.FOLDER).glob('*.md')}
    assert set(found) == set(wanted), AGAIN
    for path, text in wanted.items():
        assert found[path] == text, AGAIN


def test_every_loss_has_a_page_in_the_table(sources):
    table = loss_pages.pages(sources)[loss_sources.FOLDER / 'README.md']
    for name in losses.__all__:
        page = re.search(rf'\[{name}\]\((\w+\.md)\)', table)[1]
        assert (ROOT / loss_sources.FOLDER / page).read_text().splitlines()[2] == f'# {name}'


@pytest.mark.parametrize('name', losses.__all__)
def test_page_says_all_of_a_loss(name, sources):
    page = loss_pages.loss_page(getattr(losses, name), sources)
    for heading in ('Formula', 'What it compares', 'When to use it', 'Parameters', 'Official default weight', 'Cost'):
        assert f'\n## {heading}\n' in page, heading
    assert '`' in page.split('## Formula')[1].split('##')[0], 'no formula between back quotes'
    origin = page.split('## Source and differences')[1].split('##')[0]
    assert 'Ours' in origin or 'ours' in origin or re.search(r'code \[', origin), origin
    assert '``' not in page.replace('```', '') and ':class:' not in page
    for link in re.findall(r'\]\((?!https:)([^)#]+)', page):
        assert (ROOT / loss_sources.FOLDER / link).exists(), link


@pytest.mark.parametrize(
    ('name', 'loss', 'config'), [('CTKD', 'kd', 'ctkd'), ('ReviewKD', 'hcl', 'review'), ('SimKD', 'fitnet', 'simkd')]
)
def test_a_method_that_is_more_than_a_loss_has_a_page_of_its_own(name, loss, config, sources):
    pages = {path.stem: text for path, text in loss_pages.pages(sources).items()}
    page = pages[name.lower()]
    for heading in ('Formula', 'What it consists of', 'When to use it', 'Cost', 'Source and differences', 'Config'):
        assert f'\n## {heading}\n' in page, heading
    assert '`' in page.split('## Formula')[1].split('##')[0], 'no formula between back quotes'
    assert re.search(r'\(20\d\d\)\*: <https://arxiv.org/.* code \[', page)
    assert f'({loss}.md)' in page and f'configs/losses/{config}.py' in page
    assert f'configs/losses/{config}.py' not in pages[loss]
    assert f'| [{name}]({name.lower()}.md) |' in pages['README']


def test_a_loss_without_a_line_and_a_line_without_a_loss_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    lines = yaml.safe_load(loss_sources.LINES.read_text())
    lines['GoneLoss'] = lines.pop('KDLoss')
    (tmp_path / 'losses.yml').write_text(yaml.safe_dump(lines, sort_keys=False))
    monkeypatch.setattr(loss_sources, 'LINES', tmp_path / 'losses.yml')
    with pytest.raises(ValueError, match=r"missing \['KDLoss'\], no loss \['GoneLoss'\]"):
        loss_sources.Sources.read()
    lines['KDLoss'] = dict(lines.pop('GoneLoss'), category='other')
    (tmp_path / 'losses.yml').write_text(yaml.safe_dump(lines, sort_keys=False))
    with pytest.raises(ValueError, match='KDLoss has .* category of'):
        loss_sources.Sources.read()


class PlainLoss(DistillLoss):
    """First.

    ``a - b`` and :class:`KDLoss`.
    Source: https://arxiv.org/abs/1503.02531, code some/code ``a.py``; differs.

    Args:
        scale: Positive; see
            elsewhere.
    """

    def __init__(self, scale: float = 2.0) -> None:
        super().__init__()


def test_docstring_is_taken_apart():
    said = LossDocstring.of(PlainLoss)
    assert (said.summary, said.body) == ('First.', '`a - b` and [KDLoss](kd.md).')
    code = 'code [some/code](https://github.com/some/code) `a.py`; differs.'
    assert said.origin == f'Source: <https://arxiv.org/abs/1503.02531>, {code}'
    assert said.parameters == [('scale', '2.0', 'Positive; see elsewhere.')]


@pytest.mark.parametrize(
    ('docstring', 'message'),
    [
        ('First.\n\nNothing more.', "begins with 'Source: ' or 'Ours'"),
        ('First.\n\nOurs.', 'leaves out scale'),
    ],
)
def test_poor_docstrings_are_refused(docstring, message):
    poor = type('PoorLoss', (PlainLoss,), dict(__doc__=docstring))
    with pytest.raises(ValueError, match=f'PoorLoss: its docstring.*{message}'):
        LossDocstring.of(poor)


def accuracy_of(**scores):
    rows = [scored(ALONE, ALONE, [0.5, 0.6])]
    rows += [scored(f'student distilled, {name}', DISTILLED, each) for name, each in scores.items()]
    configs = {name: f'configs/losses/{name}.py' for name in scores}
    teachers, sections = [Teacher('teacher', 0.95, 2_000_000)], [Section('recipe untouched', rows)]
    return Comparison(configs, 'python tools/compare.py configs/losses/*.py', 'acc/top1', [0, 1], teachers, sections)


def scored(arm, kind, scores):
    none = [None] * len(scores)
    return Row(arm, kind, 'recipe untouched', {}, scores, none, none, none, none)


def test_costs_are_quoted(sources):
    cost = LossCost('KDLoss at logits, MARSLoss at pooled', Interval(1.021, 1.01, 1.03, 0.95), 1.05, 1_500_000)
    costs = LossCosts('title', {'step with KDLoss': '200.0 ms (190.0 ms to 210.0 ms)'}, dict(mars=cost))
    sources = replace(sources, costs=costs)
    page = loss_pages.loss_page(losses.MARSLoss, sources)
    assert '1.021 (1.010 to 1.030) times the step with KDLoss alone, +1.5 MB at the peak' in page
    index = loss_pages.pages(sources)[loss_sources.FOLDER / 'README.md']
    assert '| 50 | 1.021 x | +1.5 MB |' in index
    assert 'Not measured.' in loss_pages.loss_page(losses.OFDLoss, sources)
    assert 'a step takes 200.0 ms' in loss_pages.loss_page(losses.KDLoss, sources)


def test_accuracy_is_ranked_and_quoted(sources):
    found = LossAccuracy(accuracy_of(kd=[0.7, 0.82], mars=[0.8, 0.9], simkd=[0.5, 0.7]))
    assert found.ranked == ['mars', 'kd', 'simkd']
    pages = loss_pages.pages(replace(sources, accuracy=found))
    index = pages[loss_sources.FOLDER / 'README.md']
    ranking = index.partition('## Accuracy, ranked')[2]
    first = '| 1 | [MARSLoss](mars.md) | 85.00 ± 7.07 | 80.00 | +30.00 (+30.00 to +30.00) | +9.00 (-3.71 to +21.71)'
    assert first in ranking and '| 2 | [KDLoss](kd.md) | 76.00 ± 8.49 | 70.00 |' in ranking
    assert '| 3 | [SimKD](simkd.md) | 60.00 ± 14.14 | 50.00 | +5.00 (-58.53 to +68.53), no difference shown' in ranking
    assert '|  | student alone | 55.00 ± 7.07 | 50.00 |  |  |' in ranking
    assert 'over 2 seeds' in ranking and '`python tools/compare.py configs/losses/*.py`' in ranking
    page = pages[loss_sources.FOLDER / 'mars.md']
    assert '- `mars`: 85.00 ± 7.07 % on test over 2 seeds, worst 80.00; +30.00' in page and 'Place 1 of 3.' in page
    assert 'over KDLoss alone' not in pages[loss_sources.FOLDER / 'kd.md'].partition('## Accuracy')[2]
    assert '## Accuracy' in pages[loss_sources.FOLDER / 'simkd.md']
    assert '## Accuracy' not in pages[loss_sources.FOLDER / 'at.md']


def test_accuracy_is_recorded_from_a_comparison(sources, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loss_sources.Sources, 'read', lambda: sources)
    (tmp_path / loss_sources.FOLDER).mkdir(parents=True)
    (tmp_path / 'work').mkdir()
    saved = tmp_path / 'work' / 'compare.json'
    for content, message in (
        (accuracy_of(mars=[0.8, 0.9]).as_dict(), "got a comparison of mars; expected 'kd' among them"),
        ({'format': 1}, 'run the comparison again'),
    ):
        saved.write_text(json.dumps(content))
        with pytest.raises(ValueError, match=message):
            loss_pages.record_accuracy(saved)
    assert not loss_sources.ACCURACY.exists()
    wanted = accuracy_of(kd=[0.7, 0.82], mars=[0.8, 0.9])
    saved.write_text(json.dumps(wanted.as_dict()))
    with pytest.raises(SystemExit) as stop:
        loss_pages.main(['--accuracy', 'work'])
    assert stop.value.code == 0
    assert LossAccuracy.read(json.loads(loss_sources.ACCURACY.read_text())).comparison == wanted


def test_stale_and_foreign_pages_are_found_and_mended(sources, tmp_path, monkeypatch):
    folder = tmp_path / loss_sources.FOLDER
    folder.mkdir(parents=True)
    (folder / 'gone.md').write_text('old')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loss_sources.Sources, 'read', lambda: sources)
    for arguments, code in ((['--check'], 1), ([], 0), (['--check'], 0)):
        with pytest.raises(SystemExit) as stop:
            loss_pages.main(arguments)
        assert stop.value.code == code
        assert (folder / 'gone.md').exists() == (arguments == ['--check'] and code == 1)
    assert (folder / 'kd.md').is_file()
