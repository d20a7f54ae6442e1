"""Packaging of mmkd_video; versions are pinned to what is tested together."""

import subprocess
import sys
from itertools import chain
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
LITE, FULL = 'mmcv-lite', 'mmcv'
EXTRAS = ('onnx', 'openvino', 'prune', 'quant')
DECODERS = ('decord2', 'torchcodec', 'pyav')  # one of these in place of decord, so never all of them


def read_requirements(name: str) -> list[str]:
    """Return the requirement lines of ``requirements/<name>.txt`` without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line.split('#')[0].strip() for line in lines if line.split('#')[0].strip()]


def read_version() -> str:
    """Return ``__version__`` without importing the package (its dependencies may not be installed yet)."""
    scope: dict = {}
    exec((ROOT / 'mmkd_video' / 'core' / 'version.py').read_text(), scope)
    return scope['__version__']


def has_full_mmcv() -> bool:
    """Return whether the environment that is installed into holds a full mmcv.

    pip builds in isolation, but with the interpreter of the target environment, and hides that environment's packages
    by environment variables only; ``-I`` ignores those. Other builders use an interpreter of their own (uv,
    ``python -m build``): there the answer is no, and a full mmcv is kept with ``pip install --no-deps``.
    """
    code = f"from importlib.metadata import version; version('{FULL}')"
    return subprocess.run([sys.executable, '-I', '-c', code], capture_output=True).returncode == 0


def runtime_requirements() -> list[str]:
    """Return what the package needs; mmcv and mmcv-lite own the same files, so it asks for exactly one of them."""
    requirements = read_requirements('runtime')
    if not has_full_mmcv():
        return requirements
    return [line.replace(LITE, FULL) if line.startswith(LITE) else line for line in requirements]


extras = {name: read_requirements(name) for name in EXTRAS}
dev = read_requirements('dev')
setup(
    name='mmkd_video',
    version=read_version(),
    description='Knowledge distillation for video recognizers: a plugin for MMAction2',
    long_description=(ROOT / 'README.md').read_text() if (ROOT / 'README.md').exists() else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmkd_video', 'mmkd_video.*']),
    python_requires='>=3.10',
    install_requires=runtime_requirements(),
    extras_require={
        **extras,
        **{name: read_requirements(name) for name in DECODERS},
        'dev': [*dev, *chain(*extras.values())],
        'all': [*dev, *chain(*extras.values())],
    },
)
