import textwrap

import pytest

pytestmark = pytest.mark.slow

IMPORT = 'import mmaction.models'
FAKE_TORCHVISION = {'torchvision/__init__.py': ''}
BROKEN_TORCHVISION = {
    'torchvision/__init__.py': "raise RuntimeError('operator torchvision::nms does not exist')",
}


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text))
    return (str(root),)


# A real drn folder put in front of the search path of the real localizers, as an install from git has it.
WITH_REAL_FOLDER = """
import importlib.util, os, sys
from importlib.machinery import PathFinder
class Git:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == 'mmaction.models.localizers.drn':
            return PathFinder.find_spec(name, [os.environ['DRN_ROOT']])
sys.meta_path.insert(0, Git)
import mmkd_video
import mmaction.models.localizers as localizers
print(localizers.DRN.__name__)
"""


def test_models_do_not_import_without_and_do_with(breaks_without, healthy_with):
    breaks_without(IMPORT, 'drn')
    healthy_with(IMPORT)


def test_the_stand_in_says_why_it_cannot_be_built(run_python):
    done = run_python(
        'import mmkd_video\nfrom mmkd_video.compat.missing_drn import _StandInDRN\n_StandInDRN(feature_dim=1)'
    )
    assert 'MissingDRNError: DRN is not available' in done.stderr


def test_stands_aside_for_the_real_package_with_torchvision(run_python, tmp_path):
    files = {'drn/drn.py': 'import torchvision\nclass DRN: pass\nDRN.__name__ = "RealDRN"'}
    path = write(tmp_path, {**files, **FAKE_TORCHVISION})
    done = run_python(WITH_REAL_FOLDER, path=path, DRN_ROOT=str(tmp_path))
    assert done.stdout.strip() == 'RealDRN', done.stderr


def test_steps_in_for_a_real_package_without_a_working_torchvision(run_python, tmp_path):
    files = {'drn/drn.py': 'import torchvision\nclass DRN: pass'}
    path = write(tmp_path, {**files, **BROKEN_TORCHVISION})
    done = run_python(WITH_REAL_FOLDER, path=path, DRN_ROOT=str(tmp_path))
    assert done.stdout.strip() == '_StandInDRN', done.stderr


def test_answers_for_no_other_name(healthy_with):
    out = healthy_with("""
        import sys
        from mmkd_video.compat.missing_drn import MissingDrnFinder
        finders = [finder for finder in sys.meta_path if isinstance(finder, MissingDrnFinder)]
        names = ['json', 'mmaction.models', 'mmaction.models.localizers', 'mmaction.models.localizers.drnx']
        print(len(finders), [finders[0].find_spec(name) for name in names])
    """)
    assert out.strip() == '1 [None, None, None, None]'
