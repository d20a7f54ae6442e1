"""Packaging of mmkd_video; versions are pinned to what is tested together."""

import os
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py as BuildPackage
from setuptools.command.editable_wheel import editable_wheel as BuildEditable

ROOT = Path(__file__).parent
# What OpenMMLab's tools look for in an installed package, in its folder .mim.
MIM = Path('mmkd_video', '.mim')
SHIPPED = {'configs': ('.py', '.yml'), 'tools': ('.py', '.sh'), 'model-index.yml': ('.yml',)}
DOOR = 'torch.backends'  # entry points that torch calls when it is imported; see mmkd_video_door.py
LITE, FULL = 'mmcv-lite', 'mmcv'
PYTHONS = (10, 11, 12, 13)  # 3.x that were tried; docs/install.md says with which torch
EXTRAS = ('hf', 'onnx', 'openvino', 'prune', 'quant')
TOOLS = ('docs',)  # for those who work on the package, and in an environment of their own
VISION = ('timm', 'torchvision')  # a torchvision for another torch keeps the stack from importing, so never with 'dev'
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


def shipped_files() -> list[Path]:
    """Return the files of ``.mim``, relative to the root of the repository."""
    found = [ROOT / 'model-index.yml', *chain(*((ROOT / name).rglob('*') for name in SHIPPED))]
    wanted = {path.relative_to(ROOT) for path in found if path.is_file()}
    return sorted(path for path in wanted if path.suffix in SHIPPED[path.parts[0]])


class BuildWithConfigs(BuildPackage):
    """Brings configs, tools and index into the package: copied into a wheel, linked in a clone."""

    def run(self) -> None:
        """Build the package, and what belongs to it."""
        super().run()
        if getattr(self, 'editable_mode', False):
            self._link()
            return
        for path in shipped_files():
            target = Path(self.build_lib, MIM, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return all files that a wheel gets."""
        known = super().get_outputs(include_bytecode)
        if getattr(self, 'editable_mode', False):
            return known
        return [*known, *(str(Path(self.build_lib, MIM, path)) for path in shipped_files())]

    def _link(self) -> None:
        (ROOT / MIM).mkdir(exist_ok=True)
        for name in SHIPPED:
            link = ROOT / MIM / name
            if not link.exists():
                link.unlink(missing_ok=True)
                link.symlink_to(os.path.relpath(ROOT / name, ROOT / MIM))


class BuildClone(BuildEditable):
    """Leaves torch alone: a clone may be moved away or set back, and torch must be importable after that."""

    def run(self) -> None:
        """Install the clone without the door."""
        self.distribution.entry_points.pop(DOOR, None)
        super().run()


extras = {name: read_requirements(name) for name in EXTRAS}
dev = read_requirements('dev')
setup(
    name='mmkd_video',
    version=read_version(),
    description='Knowledge distillation for video recognizers: a plugin for MMAction2',
    long_description=(ROOT / 'README.md').read_text() if (ROOT / 'README.md').exists() else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    classifiers=[f'Programming Language :: Python :: 3.{minor}' for minor in PYTHONS],
    packages=find_packages(include=['mmkd_video', 'mmkd_video.*']),
    py_modules=['mmkd_video_door'],
    cmdclass={'build_py': BuildWithConfigs, 'editable_wheel': BuildClone},
    zip_safe=False,
    python_requires=f'>=3.{PYTHONS[0]}',
    entry_points={
        'console_scripts': ['mmkd = mmkd_video.__main__:main'],
        DOOR: ['mmkd_video = mmkd_video_door:open_door'],
    },
    install_requires=runtime_requirements(),
    extras_require={
        **extras,
        **{name: read_requirements(name) for name in (*VISION, *DECODERS, *TOOLS)},
        'dev': [*dev, *chain(*extras.values())],
        'all': [*dev, *chain(*extras.values())],
    },
)
