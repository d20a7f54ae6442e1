"""The version is one line, the changelog ends in it, and the table of what was tried is what the package promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mmkd_video
from mmkd_video.cli.doctor.versions import NEEDED

ROOT = Path(__file__).resolve().parents[1]
INSTALL = (ROOT / 'docs' / 'install.md').read_text()
CHANGELOG = (ROOT / 'CHANGELOG.md').read_text()
PAGES = ('install.md', 'release.md')
SETUP = """
import setuptools
keys = ('version', 'classifiers', 'python_requires')
setuptools.setup = lambda **given: print(repr({key: given[key] for key in keys}))
exec(compile(open('setup.py').read(), 'setup.py', 'exec'), dict(__name__='__main__', __file__='setup.py'))
"""


@pytest.fixture(scope='module')
def package():
    """What setup.py says of the package."""
    done = subprocess.run([sys.executable, '-c', SETUP], cwd=ROOT, text=True, capture_output=True, check=True)
    return eval(done.stdout)


def numbers(version):
    return tuple(map(int, version.split('.')))


def test_the_version_is_three_numbers_that_come_after_the_last_release(package):
    assert re.fullmatch(r'\d+\.\d+\.\d+', mmkd_video.__version__) and package['version'] == mmkd_video.__version__
    sections = re.findall(r'^## \[(.*?)\](.*)', CHANGELOG, flags=re.MULTILINE)
    assert sections[0] == ('Unreleased', '')
    released = [numbers(version) for version, _ in sections[1:]]
    assert [numbers(mmkd_video.__version__), *released] == sorted(
        {numbers(mmkd_video.__version__), *released}, reverse=True
    )
    assert all(re.fullmatch(r' - \d{4}-\d\d-\d\d', date) for _, date in sections[1:])


def test_the_pythons_that_were_tried_are_those_that_the_package_names(package):
    rows = re.findall(r'^\| (3\.\d+)\.\d+ \| (\d+\.\d+)\.\d+', INSTALL, flags=re.MULTILINE)
    tried = {python for python, _ in rows}
    assert {f'Programming Language :: Python :: {python}' for python in tried} == set(package['classifiers'])
    assert package['python_requires'] == f'>={min(tried, key=numbers)}'
    assert min((torch for _, torch in rows), key=numbers) == NEEDED['torch'][0]


@pytest.mark.parametrize('page', PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r'\]\((?!https?:)([^)#]+)', (ROOT / 'docs' / page).read_text()):
        assert (ROOT / 'docs' / target).exists(), target
