"""The site holds every page, and every link of the documents leads somewhere, on GitHub and in the site."""

import copy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from dev.site import markdown, notebook
from dev.site.output import expect_site_or_nothing
from dev.site.pages import CARRIED, ELSEWHERE, HOME, REFERENCE, Pages

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = yaml.safe_load((ROOT / 'dev/site/site.yml').read_text())
DOCUMENTS = [*sorted((ROOT / 'docs').rglob('*.md')), *(ROOT / name for name in ('README.md', *ELSEWHERE))]
NEEDED = ('sphinx', 'myst_parser', 'furo', 'mermaidx')


def text_of(path):
    return notebook.as_markdown(path) if path.suffix == '.ipynb' else path.read_text()


@pytest.fixture(scope='module')
def pages():
    return Pages(ROOT, SETTINGS)


def test_only_a_site_is_replaced(tmp_path):
    expect_site_or_nothing(tmp_path / 'new')
    expect_site_or_nothing(tmp_path)
    (tmp_path / '.buildinfo').write_text('')
    expect_site_or_nothing(tmp_path)
    for other in (ROOT, ROOT / 'docs', ROOT / 'README.md'):
        with pytest.raises(FileExistsError, match='is there, and no site'):
            expect_site_or_nothing(other)


def test_every_page_is_in_the_contents_once(pages, texts):
    listed = pages.listed()
    assert len(listed) == len(set(listed))
    made = {page for page in texts if not page.startswith(CARRIED)} | set(pages.below(REFERENCE))
    assert set(listed) == made, 'a page that dev/site/site.yml does not name, or one that is no more'
    on_disk = {path.relative_to(ROOT / 'docs').as_posix()[:-3] for path in (ROOT / 'docs').rglob('*.md')}
    assert on_disk <= made


@pytest.fixture(scope='module')
def texts(pages):
    return pages.texts()


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(path):
    for target, anchor in markdown.links(text_of(path)):
        found = (path.parent / target).resolve() if target else path
        assert found.exists() and found.is_relative_to(ROOT), target
        if anchor:
            assert anchor in markdown.anchors(text_of(found)), f'{target}#{anchor}'


def test_links_of_the_site_lead_to_its_own_files(pages, texts):
    rooms = {f'{page}.rst' for page in pages.below(REFERENCE)}
    known = {f'{page}.md' for page in texts} | rooms | {name.removeprefix('docs/') for name in pages.files()}
    for page, text in texts.items():
        for target, anchor in markdown.links(text):
            found = ((ROOT / page).parent / target).resolve().relative_to(ROOT).as_posix() if target else f'{page}.md'
            assert found in known, f'{page}: {target}'
            if anchor:
                assert anchor in markdown.anchors(texts[found[:-3]]), f'{page}: {target}#{anchor}'


def test_links_to_the_readme_lead_to_the_page_of_their_section(texts):
    assert '](howto/compress.md#the-whole-way)' in texts['benchmarks']
    assert '](compress.md#the-whole-way)' in texts['howto/quantize']


def test_a_known_repository_shows_its_own_files():
    texts = Pages(ROOT, SETTINGS, 'https://example.org/mmkd/blob/main').texts()
    assert not [page for page in texts if page.startswith(CARRIED)]
    assert '](https://example.org/mmkd/blob/main/configs/_base_/mmkd.py)' in texts['config']
    assert '](https://example.org/mmkd/blob/main/configs/losses/kd.py)' in texts['losses/kd']


def test_a_section_of_the_readme_that_no_page_has_is_an_error():
    for change in (lambda names: names.clear(), lambda names: names.append('Prune'), lambda names: names.append('No')):
        settings = copy.deepcopy(SETTINGS)
        change(settings['readme']['howto/export'])
        with pytest.raises(ValueError, match=r"^site.yml: got '(Export|Prune|No)'; expected each section of README"):
            Pages(ROOT, settings)


def test_the_readme_is_cut_into_pages(texts):
    assert texts['howto/prune'].startswith('# Prune\n\nWhole channels leave')
    assert texts[HOME].startswith('# mmkd_video\n') and '\n## Beside MMRazor\n' in texts[HOME]
    assert not any('# a comment' in heading for _, heading in markdown.headings(texts[HOME]))


def test_code_holds_neither_links_nor_headings():
    text = (
        '# A `b`_c: d, e\n[x](y.md#z) `[no](n.md)` ``[no](`n`.md)``\n```python\n# no\n[no](n.md)\n```\n## [L](m.md)s\n'
    )
    assert list(markdown.links(text)) == [('y.md', 'z'), ('m.md', '')]
    assert markdown.headings(text) == [(1, 'A `b`_c: d, e'), (2, '[L](m.md)s')]
    assert markdown.anchors(text) == {'a-b_c-d-e', 'ls'}
    assert list(markdown.sections(text)) == ['A `b`_c: d, e', '[L](m.md)s']
    changed = markdown.with_links(text + '[e](https://f.org)', lambda path, anchor: f'<{path}|{anchor}>')
    assert changed == text.replace('](y.md#z)', '](<y.md|z>)').replace('](m.md)', '](<m.md|>)') + '[e](https://f.org)'


def test_the_reference_shows_what_rooms_export(pages):
    found = {shown.name: shown for shown in pages.reference.of('terms')}
    assert list(found)[:3] == ['DEFAULT_SHARE', 'TERMS', 'Pair']
    assert found['Term'].doc.startswith('One summand') and found['DEFAULT_SHARE'].doc.startswith("Part of the task's")
    assert 'export_student' in {shown.name for shown in pages.reference.of('workflows')}
    assert {'distillers', 'losses', 'teachers'} < set(pages.reference.rooms())


@pytest.mark.skipif(
    not all(map(find_spec, NEEDED)), reason='the site needs pip install -r requirements/docs.txt; CI builds it apart'
)
def test_the_site_is_built_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'dev.site', '--out', tmp_path / 'site'], cwd=ROOT, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / 'site/concepts.html').read_text()
    assert '<pre class="mermaid">flowchart TD' in page and '_static/mermaid.js' in page
    assert '_static/mermaid.js' not in (tmp_path / 'site/index.html').read_text()
    assert (tmp_path / 'site/_static/mermaid.js').stat().st_size > 1_000_000
