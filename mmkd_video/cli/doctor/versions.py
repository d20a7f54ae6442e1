"""Checks of installed versions; of the stack only what must be tried is imported."""

import importlib
import importlib.util
import platform
import re
from importlib import metadata

from mmkd_video.cli.doctor.check_result import CheckResult
from mmkd_video.core.vision_packages import torchvision_for

# distribution: (lowest, first that is too new or None, specifier for pip, why). The same ranges as the requirements.
NEEDED = {
    'torch': ('2.6', None, 'torch>=2.6', 'reads checkpoints without executing them by default'),
    'mmengine': ('0.10.4', '0.11', 'mmengine>=0.10.4,<0.11', "0.11 breaks every 'mmaction::' base config"),
    'mmaction2': ('1.2.0', '1.3', 'mmaction2>=1.2.0,<1.3', ''),
    'decord': ('0.6.0', None, 'decord>=0.6.0', ''),
    'setuptools': ('0', '81', 'setuptools<81', 'mmengine imports pkg_resources'),
    'importlib-metadata': ('6', None, 'importlib-metadata>=6', 'mmaction2 imports it'),
    'numpy': ('1.24', None, 'numpy>=1.24', ''),
    'filelock': ('3.30', '5', 'filelock>=3.30,<5', 'locks of work dirs'),
    'safetensors': ('0.4.3', None, 'safetensors>=0.4.3', 'cached answers of teachers'),
    'scipy': ('1.10', None, 'scipy>=1.10', ''),
    'tensorboard': ('2.12', None, 'tensorboard>=2.12', ''),
    'matplotlib': ('3.7', None, 'matplotlib>=3.7', ''),
}
# distribution: (lowest, first that is too new or None, extra, what for); missing is fine.
OPTIONAL = {
    'transformers': ('5.24', '6', 'hf', 'teachers of transformers'),
    'torch-pruning': ('1.6.1', '1.6.2', 'prune', 'pruning'),
    'onnx': ('1.23', '2', 'onnx', 'export'),
    'onnxscript': ('0.7.2', '0.8', 'onnx', 'export'),
    'onnxruntime': ('1.31', '2', 'onnx', 'running ONNX files'),
    'openvino': ('2026.4', '2027', 'openvino', 'export, running OpenVINO files'),
    'nncf': ('3.4', '3.5', 'quant', 'quantization'),
    'timm': ('1.0.31', '2', 'timm', 'students and teachers of timm'),
}
MMCV = ('2.0.0', '2.2', 'mmcv-lite>=2.0.0,<2.2')


def installed(distribution: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def as_numbers(version: str) -> tuple[int, ...]:
    """Return the leading release numbers of a version: ``'2.13.0+cpu'`` is ``(2, 13, 0)``."""
    match = re.match(r'\d+(?:\.\d+)*', version)
    return tuple(int(part) for part in match.group().split('.')) if match else ()


def within(version: str, lowest: str, too_new: str | None) -> bool:
    """Return whether ``lowest <= version < too_new``; a pre-release counts as its release."""
    return as_numbers(version) >= as_numbers(lowest) and (too_new is None or as_numbers(version) < as_numbers(too_new))


def _python() -> CheckResult:
    version = platform.python_version()
    fits = within(version, '3.10', None)
    remedy = '' if fits else 'make an environment with Python 3.11: python3.11 -m venv .venv'
    return CheckResult('python', version, '>=3.10', 'ok' if fits else 'act', remedy)


def _distribution(name: str) -> CheckResult:
    lowest, too_new, specifier, why = NEEDED[name]
    version = installed(name)
    needed = specifier.removeprefix(name) + (f'  ({why})' if why else '')
    if version is not None and within(version, lowest, too_new):
        return CheckResult(name, version, needed, 'ok')
    return CheckResult(name, version or 'missing', needed, 'act', f"pip install '{specifier}'")


def _mmcv() -> CheckResult:
    full, lite = installed('mmcv'), installed('mmcv-lite')
    needed = 'mmcv-lite or mmcv, never both, >=2.0.0,<2.2'
    if full and lite:
        remedy = f"pip uninstall -y mmcv mmcv-lite && pip install '{MMCV[2]}'  (or the full mmcv, alone)"
        return CheckResult('mmcv', f'mmcv {full} and mmcv-lite {lite}', needed, 'act', remedy)
    version = full or lite
    if version is None:
        return CheckResult('mmcv', 'missing', needed, 'act', f"pip install '{MMCV[2]}'")
    name = 'mmcv' if full else 'mmcv-lite'
    if within(version, *MMCV[:2]):
        return CheckResult('mmcv', f'{name} {version}', needed, 'ok')
    remedy = f"pip install '{name}>={MMCV[0]},<{MMCV[1]}'"
    return CheckResult('mmcv', f'{name} {version}', needed, 'act', remedy)


def _pkg_resources() -> CheckResult:
    there = importlib.util.find_spec('pkg_resources') is not None
    remedy = '' if there else "pip install 'setuptools<81'"
    return CheckResult(
        'pkg_resources', 'found' if there else 'missing', 'part of setuptools<81', 'ok' if there else 'act', remedy
    )


def _opencv() -> CheckResult:
    names = ('opencv-python', 'opencv-contrib-python', 'opencv-python-headless', 'opencv-contrib-python-headless')
    found = {name: version for name in names if (version := installed(name))}
    text = ', '.join(f'{name} {version}' for name, version in found.items()) or 'missing'
    needed = 'imports; all of the same version'
    try:
        importlib.import_module('cv2')
    except Exception as error:
        remedy = 'pip install opencv-python opencv-contrib-python'
        if 'lib' in str(error):
            remedy = 'apt-get install -y libgl1 libglib2.0-0'
        return CheckResult('opencv', f'{text}: {error}', needed, 'act', remedy)
    if len(set(found.values())) > 1:
        version = max(found.values(), key=as_numbers)
        remedy = 'pip install ' + ' '.join(f'{name}=={version}' for name in found)
        return CheckResult('opencv', text, needed, 'note', remedy)
    return CheckResult('opencv', text, needed, 'ok')


def _torchvision() -> CheckResult:
    version, needed = installed('torchvision'), 'optional, for timm and its own video models; broken is fatal'
    if importlib.util.find_spec('torchvision') is None:
        return CheckResult('torchvision', 'absent', needed, 'ok')
    try:
        importlib.import_module('torchvision')
    except Exception as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = f'pip uninstall -y torchvision{_fitting()}'
        return CheckResult('torchvision', f'{version}: {problem}', needed, 'act', remedy)
    return CheckResult('torchvision', version or 'found', needed, 'ok')


def _fitting() -> str:
    """Return which torchvision would do, for those who need one."""
    torch = installed('torch')
    if torch is None:
        return ''
    fitting = torchvision_for(torch)
    return f"  (or, from the index that torch came from: pip install 'torchvision=={fitting}.*')"


def _pytorchvideo() -> CheckResult:
    version, needed = installed('pytorchvideo'), "optional: MMAction2's training pipelines of MViT, UniFormerV2"
    if version is None:
        return CheckResult('pytorchvideo', 'absent', needed, 'ok')
    if installed('torchvision') is None:
        remedy = 'pip install a torchvision that fits your torch: https://github.com/pytorch/vision#installation'
        return CheckResult('pytorchvideo', f'{version}, without torchvision', needed, 'act', remedy)
    return CheckResult('pytorchvideo', version, needed, 'ok')


def _optional(name: str) -> CheckResult:
    lowest, too_new, extra, purpose = OPTIONAL[name]
    version, needed = installed(name), f'optional, >={lowest},<{too_new}: {purpose}'
    if version is None:
        return CheckResult(name, 'absent', needed, 'ok')
    if within(version, lowest, too_new):
        return CheckResult(name, version, needed, 'ok')
    return CheckResult(
        name, version, needed, 'act', f"pip install 'mmkd_video[{extra}]'  (in a clone: -e '.[{extra}]')"
    )


def check_versions() -> list[CheckResult]:
    """Return a result for Python and every distribution that mmkd_video stands on."""
    distributions = [_distribution(name) for name in NEEDED]
    optional = [_optional(name) for name in OPTIONAL]
    return [_python(), *distributions, _mmcv(), _pkg_resources(), _opencv(), _torchvision(), _pytorchvideo(), *optional]
