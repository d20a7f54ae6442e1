"""The page as a person sees it: in a browser, on a phone's width and on a desk's."""

import json

import pytest
from browser import Browser, find_browser
from made_up_runs import deployments, made_up_comparison

from mmkd_video.workflows.report.report import write_report

WIDER = """[...document.querySelectorAll('body *')].filter(one => !one.closest('.box, pre')
    && one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 100))"""
SCROLLED = """[...document.querySelectorAll('.box')].filter(one => one.scrollWidth > one.clientWidth).length"""
UNFOLD = "document.querySelectorAll('details').forEach(one => one.open = true)"
UNLOADED = '[...document.images].filter(one => !one.complete || !one.naturalWidth).length'


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    program = find_browser()
    if program is None:
        pytest.skip('no Chromium in the path')
    found = Browser(program, tmp_path_factory.mktemp('profile'))
    yield found
    found.close()


@pytest.mark.slow
@pytest.mark.parametrize('dark', [False, True])
@pytest.mark.parametrize('width', [390, 1280])
def test_the_page_fits_and_nothing_goes_wrong(browser, tmp_path, width, dark):
    long_names = ('a class with quite a long name', 'up', 'WithoutAnySpaceAtAllSoThatItCannotBeBroken')
    work = made_up_comparison(
        tmp_path / 'a-folder-whose-name-is-so-long-that-it-fits-on-no-telephone', classes=long_names
    )
    (work / 'deploy.json').write_text(json.dumps(deployments()))
    target, _ = write_report([work], out=tmp_path / 'page.html', data_root=work.parent)
    browser.open(target, width, dark)
    asked = [each['params'].get('request', {}).get('url', '') for each in browser.logged()]
    assert [url for url in asked if not url.startswith(('data:', target.as_uri()))] == []
    browser.ask(UNFOLD)
    assert browser.ask('document.documentElement.scrollWidth') == width == browser.ask('innerWidth')
    assert browser.ask(WIDER) == []
    assert browser.ask(SCROLLED) > 0, 'tables scroll in their own box'
    assert browser.ask(UNLOADED) == 0 and browser.ask('document.images.length') == 8
    paper = browser.ask('getComputedStyle(document.body).backgroundColor')
    assert paper == ('rgb(16, 19, 23)' if dark else 'rgb(255, 255, 255)')
    browser.screenshot(tmp_path / 'page.png')
    assert (tmp_path / 'page.png').stat().st_size > 50_000


@pytest.mark.slow
def test_a_page_that_scrolls_sideways_or_asks_for_more_would_be_noticed(browser, tmp_path):
    page = tmp_path / 'page.html'
    page.write_text('<div style="width:2000px">a</div><img src="nowhere.png"><script>console.error("x"); y()</script>')
    browser.open(page, 390)
    assert browser.ask('document.documentElement.scrollWidth') > 390 and browser.ask(WIDER)
    kinds = {each['method'] for each in browser.logged()}
    assert {'Runtime.consoleAPICalled', 'Runtime.exceptionThrown', 'Network.requestWillBeSent'} <= kinds
