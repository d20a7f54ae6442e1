"""pytorchvideo imports a module that torchvision renamed; fakes of both stand for them here."""

import textwrap

import pytest

from mmkd_video.cli.doctor import versions

NEW_TORCHVISION = {
    'torchvision/__init__.py': 'from torchvision import transforms',
    'torchvision/transforms/__init__.py': '',
    'torchvision/transforms/_functional_tensor.py': 'def affine(video):\n    return video\n',
}
OLD_TORCHVISION = {
    **NEW_TORCHVISION,
    'torchvision/transforms/functional_tensor.py': "def affine(video):\n    return 'stock'\n",
}
PYTORCHVIDEO = {
    'pytorchvideo/__init__.py': '',
    'pytorchvideo/transforms/__init__.py': """
        import torchvision.transforms.functional_tensor as F_t
        class RandAugment:
            def __init__(self, magnitude):
                self.magnitude = magnitude
            def __call__(self, video):
                print(F_t.__name__, tuple(video.shape))
                return F_t.affine(video)
        """,
}
AUGMENT = """
import numpy as np
from mmaction.datasets.transforms import PytorchVideoWrapper
wrapper = PytorchVideoWrapper('RandAugment', magnitude=7)
print(wrapper(dict(imgs=[np.full((4, 4, 3), 9, np.uint8)] * 2))['imgs'][1].sum())
"""
ASK = 'from mmkd_video.compat import functional_tensor\nprint(functional_tensor.applies())\n'


def write(root, *packages):
    for name, text in {name: text for files in packages for name, text in files.items()}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text))
    return (str(root),)


def test_rand_augment_of_pytorchvideo_fails_without_and_works_with(breaks_without, healthy_with, tmp_path):
    path = write(tmp_path, NEW_TORCHVISION, PYTORCHVIDEO)
    breaks_without(AUGMENT, 'Install pytorchvideo', path=path)
    said = healthy_with(AUGMENT + ASK, path=path).split('\n')
    assert said[-4:-1] == ['torchvision.transforms.functional_tensor (2, 3, 4, 4)', str(9 * 48), 'True']


def test_stands_aside_where_torchvision_has_the_module(healthy_with, tmp_path):
    path = write(tmp_path, OLD_TORCHVISION)
    code = 'from torchvision.transforms import functional_tensor\nprint(functional_tensor.affine(0))\n'
    assert healthy_with(code + ASK, path=path).split()[-2:] == ['stock', 'False']


@pytest.mark.parametrize('files, lacking', [({}, 'pytorchvideo'), (PYTORCHVIDEO, 'torchvision')])
def test_what_is_really_missing_is_said(run_python, tmp_path, files, lacking):
    done = run_python('import mmkd_video\n' + ASK + AUGMENT, path=write(tmp_path, files))
    assert 'False' in done.stdout
    (line,) = [line for line in done.stderr.splitlines() if 'PytorchVideoWrapper:' in line]
    assert f"No module named '{lacking}'" in line and 'pip install pytorchvideo' in line


@pytest.mark.parametrize(
    'pytorchvideo, torchvision, state, says',
    [
        (None, None, 'ok', 'absent'),
        ('0.1.5', '0.29.0', 'ok', '0.1.5'),
        ('0.1.5', None, 'act', 'a torchvision that fits your torch'),
    ],
)
def test_the_doctor_knows_what_pytorchvideo_needs(monkeypatch, pytorchvideo, torchvision, state, says):
    found = {'pytorchvideo': pytorchvideo, 'torchvision': torchvision}
    monkeypatch.setattr(versions, 'installed', found.get)
    finding = next(item for item in versions.check_versions() if item.subject == 'pytorchvideo')
    assert finding.state == state and says in f'{finding.found} {finding.remedy}'
    assert 'MViT, UniFormerV2' in finding.needed
