import importlib.util
import textwrap
from importlib import metadata
from types import SimpleNamespace

import pytest

from mmkd_video.compat import multimodal_models

IMPORT = """
import mmaction.models
from mmaction.registry import MODELS
print(MODELS.get('VindLUVQA').__name__)
"""
ADAFACTOR = 'from torch.optim import SGD as Adafactor\n'  # which mmengine asks transformers for
METADATA = 'Metadata-Version: 2.1\nName: transformers\nVersion: {}\n'


def installed(root, version, **packages):
    """Leave a transformers of some version, with no model in it, and other packages in front of the search path."""
    files = {f'transformers-{version}.dist-info/METADATA': METADATA.format(version)}
    files |= {'transformers/__init__.py': ADAFACTOR}
    files |= {f'{name}/__init__.py': text for name, text in packages.items()}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text))
    return (str(root),)


@pytest.mark.slow
@pytest.mark.parametrize('packages', [{}, dict(timm='')])
def test_models_do_not_import_beside_transformers_5_without_and_do_with(
    breaks_without, healthy_with, tmp_path, packages
):
    path = installed(tmp_path, '5.24.0', **packages)
    breaks_without(IMPORT, 'Error', path=path)
    assert healthy_with(IMPORT, path=path).strip() == 'ask_install'


@pytest.mark.parametrize(
    ('version', 'timm', 'bites'),
    [(None, True, False), ('4.30.0', True, False), ('4.30.0', False, True), ('5.24.0', True, True)],
)
def test_bites_beside_transformers_5_or_without_timm(monkeypatch, version, timm, bites):
    def version_of(name):
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, 'version', version_of)
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: name if timm else None)
    told = SimpleNamespace(WITH_MULTIMODAL=True)
    multimodal_models._leave_out(told)
    assert multimodal_models.applies() is bites is not told.WITH_MULTIMODAL
