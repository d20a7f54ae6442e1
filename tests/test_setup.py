"""``setup.py`` asks for exactly one of mmcv and mmcv-lite."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# pip's build has setuptools from elsewhere, and the interpreter of the environment that is installed into.
ASK = """
import sys, types
sys.modules['setuptools'] = types.SimpleNamespace(
    find_packages=lambda **_: [], setup=lambda **given: print(*given['install_requires'], sep=chr(10))
)
for name in ('build_py', 'editable_wheel'):
    sys.modules[f'setuptools.command.{name}'] = types.SimpleNamespace(**{name: object})
exec(compile(open('setup.py').read(), 'setup.py', 'exec'), dict(__name__='__main__', __file__='setup.py'))
"""


@pytest.fixture
def environment(tmp_path):
    """An environment that holds no package."""
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', tmp_path / 'env'], check=True)
    return tmp_path / 'env'


def asked_for(environment):
    """Return the lines about mmcv that ``setup.py`` asks for when it is run for an environment."""
    command = [environment / 'bin' / 'python', '-c', ASK]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True)
    return [line for line in done.stdout.splitlines() if line.startswith('mmcv')]


def install(environment, name):
    """Leave the metadata of a package, as its installation does."""
    (site,) = (environment / 'lib').glob('python*/site-packages')
    folder = site / f'{name.replace("-", "_")}-2.1.0.dist-info'
    folder.mkdir()
    (folder / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: 2.1.0\n')


@pytest.mark.parametrize('installed', [[], ['mmcv-lite']])
def test_lite_is_asked_for_where_there_is_no_full_mmcv(environment, installed):
    for name in installed:
        install(environment, name)
    (line,) = asked_for(environment)
    assert line.startswith('mmcv-lite>=')


def test_full_mmcv_that_is_there_is_kept(environment):
    (lite,) = asked_for(environment)
    install(environment, 'mmcv')
    assert asked_for(environment) == [lite.replace('mmcv-lite', 'mmcv')]
