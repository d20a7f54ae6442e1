"""Packaging of mmkd_video; versions are pinned to what is tested together."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def read_requirements(name: str) -> list[str]:
    """Return the requirement lines of ``requirements/<name>.txt`` without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line.split('#')[0].strip() for line in lines if line.split('#')[0].strip()]


def read_version() -> str:
    """Return ``__version__`` without importing the package (its dependencies may not be installed yet)."""
    scope: dict = {}
    exec((ROOT / 'mmkd_video' / 'version.py').read_text(), scope)
    return scope['__version__']


setup(
    name='mmkd_video',
    version=read_version(),
    description='Knowledge distillation for video recognizers: a plugin for MMAction2',
    long_description=(ROOT / 'README.md').read_text() if (ROOT / 'README.md').exists() else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmkd_video', 'mmkd_video.*']),
    python_requires='>=3.10',
    install_requires=read_requirements('runtime'),
    extras_require={'dev': read_requirements('dev'), 'all': read_requirements('dev')},
)
