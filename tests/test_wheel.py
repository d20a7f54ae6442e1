"""What was built from the source archive and installed without the repository does what a clone does."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import mmaction
import pytest

import mmkd_video
from mmkd_video.compat import own_configs
from mmkd_video.datasets import render_motion_clips

pytestmark = [pytest.mark.slow, pytest.mark.wheel]
ROOT = Path(__file__).resolve().parents[1]
STOCK_TRAIN = Path(mmaction.__file__).parent / '.mim' / 'tools' / 'train.py'
POINTS = f'mmkd_video-{mmkd_video.__version__}.dist-info/entry_points.txt'
NO_DOOR = {'TORCH_DEVICE_BACKEND_AUTOLOAD': '0'}
SHORT = ['--cfg-options', 'train_cfg.max_epochs=1', 'prepare.teacher_options.train_cfg.max_epochs=1']
PARSE = """
import sys, mmengine.config.config
from mmengine.hub import get_config
from mmkd_video.compat import own_configs
from mmkd_video.recognizers.config import load_config, resolve_config
from mmkd_video.recognizers.libraries import is_library_model
mmengine.config.config.is_installed = lambda package: True  # it reloads pkg_resources each time
for name in own_configs.shipped_names():
    config = load_config(f'mmkd_video::{name}')
    if 'teacher' in config and not is_library_model(config.teacher):  # which is a folder of the user's
        resolve_config(config.teacher)
    print('parsed', config.filename)
print(get_config('mmkd_video::distill/i3d_to_mobilenet.py').model.type)
"""
STOCK = """
import sys
from mmengine.config import Config
from mmengine.runner import Runner
print(Config.fromfile(sys.argv[1]).model.type)
"""


def run(*command, cwd, code=0, **variables):
    """Run a command, and return what it printed and said."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', **{key: str(value) for key, value in variables.items()}}
    command = list(map(str, command))
    done = subprocess.run(command, cwd=cwd, env=environment, text=True, capture_output=True, timeout=600)
    assert done.returncode == code, f'{command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}'
    return done.stdout, done.stderr


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A copy of what the package is built from, so that nothing is left behind in the repository."""
    folder = tmp_path_factory.mktemp('source')
    for path in (*ROOT.glob('*.*'), ROOT / 'LICENSE'):
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    for name in ('mmkd_video', 'configs', 'tools', 'requirements'):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns('__pycache__', '.mim'))
    return folder


@pytest.fixture(scope='module')
def archives(source, tmp_path_factory):
    """(source archive, wheel that was built from it)"""
    out = tmp_path_factory.mktemp('dist')
    run(sys.executable, 'setup.py', '-q', 'sdist', '--dist-dir', out, cwd=source)
    (sdist,) = out.glob('*.tar.gz')
    build = ['wheel', '-q', '--no-deps', '--no-build-isolation', '--wheel-dir', out, sdist]
    run(sys.executable, '-m', 'pip', *build, cwd=out)
    (wheel,) = out.glob('*.whl')
    return sdist, wheel


@pytest.fixture(scope='module')
def site(archives, tmp_path_factory):
    """A folder that the wheel is installed into; what it stands on is the tests' own environment."""
    folder = tmp_path_factory.mktemp('site')
    run(sys.executable, '-m', 'pip', 'install', '-q', '--no-deps', '--target', folder, archives[1], cwd=folder)
    return folder


@pytest.fixture(scope='module')
def empty(tmp_path_factory):
    """A folder without a clone around it, with a few clips."""
    folder = tmp_path_factory.mktemp('empty')
    render_motion_clips(folder / 'data' / 'motion_clips', num_clips={'train': 16, 'val': 8, 'test': 8})
    return folder


@pytest.fixture(scope='module')
def trained(site, empty):
    """The folder after a training, and of its teacher before, by the names of shipped configs."""
    mmkd = [sys.executable, site / 'bin' / 'mmkd']
    run(*mmkd, 'train', 'mmkd_video::distill/i3d_to_mobilenet.py', *SHORT, cwd=empty, PYTHONPATH=site)
    return empty


def test_the_wheel_holds_what_the_repository_ships(archives):
    names = set(zipfile.ZipFile(archives[1]).namelist())
    shipped = [path for folder in ('configs', 'tools') for path in (ROOT / folder).rglob('*.*') if path.is_file()]
    wanted = [path for path in shipped if path.suffix in ('.py', '.sh', '.yml')]
    assert {f'mmkd_video/.mim/{path.relative_to(ROOT).as_posix()}' for path in wanted} <= names
    assert {'mmkd_video/.mim/model-index.yml', 'mmkd_video_door.py'} <= names
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / 'mmkd_video').rglob('*.py')} <= names
    assert not [name for name in names if name.startswith(('tests', 'dev', 'docs')) or name.endswith('.pth')]


def test_a_clone_is_linked_and_leaves_torch_alone(archives, source, tmp_path):
    code = 'import sys; from setuptools.build_meta import build_editable; build_editable(sys.argv[1])'
    for _ in range(2):  # a second time finds the links
        run(sys.executable, '-c', code, tmp_path, cwd=source)
    links = {path.name: path.resolve() for path in (source / 'mmkd_video' / '.mim').iterdir() if path.is_symlink()}
    assert links == {name: (source / name).resolve() for name in ('configs', 'tools', 'model-index.yml')}
    (wheel,) = tmp_path.glob('*.whl')
    points = [zipfile.ZipFile(each).read(POINTS).decode() for each in (wheel, archives[1])]
    assert ['mmkd = mmkd_video' in text for text in points] == [True, True]
    assert ['torch.backends' in text for text in points] == [False, True]


def test_the_source_archive_runs_as_it_is_unpacked(archives, tmp_path):
    with tarfile.open(archives[0]) as archive:
        archive.extractall(tmp_path, filter='data')
    (folder,) = tmp_path.iterdir()
    assert {path.name for path in ROOT.glob('requirements/*.txt')} == set(os.listdir(folder / 'requirements'))
    said, _ = run(sys.executable, '-m', 'mmkd_video', 'doctor', cwd=folder, PYTHONPATH='')
    assert 'All is well' in said
    code = 'import own_configs; print(own_configs.configs_folder(), len(own_configs.shipped_names()))'
    said, _ = run(sys.executable, '-c', code, cwd=folder / 'mmkd_video' / 'compat', PYTHONPATH='')
    assert said.split() == [str(folder.resolve() / 'configs'), str(len(own_configs.shipped_names()))]


def test_the_doctor_finds_the_installation_well(site, tmp_path):
    said, _ = run(sys.executable, site / 'bin' / 'mmkd', 'doctor', cwd=tmp_path, PYTHONPATH=site)
    assert 'All is well' in said


def test_every_shipped_config_has_its_name(site, tmp_path):
    for side in ('train', 'val', 'test'):
        (tmp_path / f'{side}.txt').write_text('a.mp4 0\n')
    variables = dict(PYTHONPATH=site, CLIPS='.', CLASSES=8, UT_INTERACTION='.')
    said, _ = run(sys.executable, '-c', PARSE, cwd=tmp_path, **variables)
    assert said.count(f'parsed {site.resolve()}') == len(own_configs.shipped_names())
    assert said.splitlines()[-1] == 'Distiller'


def test_a_training_needs_no_clone(trained):
    assert (trained / 'work_dirs/teachers/i3d_motion.pth').is_file()
    assert Path((trained / 'work_dirs/i3d_to_mobilenet/last_checkpoint').read_text()).is_file()


def test_the_stock_tool_trains_a_config_of_ours_by_name(site, trained):
    (trained / 'stock.py').write_text("_base_ = 'mmkd_video::distill/i3d_to_mobilenet.py'\nprepare = None\n")
    options = ['--no-validate', '--work-dir', 'stock', *SHORT[:2]]
    run(sys.executable, STOCK_TRAIN, 'stock.py', *options, cwd=trained, PYTHONPATH=site)
    assert (trained / 'stock' / 'epoch_1.pth').is_file()


@pytest.mark.skipif(find_spec('mim') is None, reason='openmim is not installed')
def test_mim_finds_our_tools_and_configs_by_name(site, trained):
    mim = [sys.executable, '-c', 'from mim.cli import cli; cli()']
    options = ['--no-validate', '--work-dir', 'by_mim', *SHORT[:2]]
    run(*mim, 'train', 'mmkd_video', 'mobilenet_motion.py', *options, cwd=trained, PYTHONPATH=site)
    assert (trained / 'by_mim' / 'epoch_1.pth').is_file()


def test_where_the_door_is_shut_an_expression_opens_it(site, tmp_path):
    name = 'mmkd_video::distill/i3d_to_mobilenet.py'
    (tmp_path / 'plain.py').write_text(f'_base_ = [{name!r}]\n')
    (tmp_path / 'expression.py').write_text(f"_base_ = __import__('mmkd_video') and [{name!r}]\n")
    stock = [sys.executable, '-c', STOCK]
    _, said = run(*stock, 'plain.py', cwd=tmp_path, code=1, PYTHONPATH=site, **NO_DOOR)
    assert 'does not support to load mmkd_video' in said
    said, _ = run(*stock, 'expression.py', cwd=tmp_path, PYTHONPATH=site, **NO_DOOR)
    assert said.splitlines()[-1] == 'Distiller'
