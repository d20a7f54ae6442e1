"""NNCF, the library that quantizes, imported when it is needed."""

import logging
from types import ModuleType

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.optional_packages import import_extra

PRESETS = ('mixed', 'performance')


def import_nncf() -> ModuleType:
    """Import NNCF (https://github.com/openvinotoolkit/nncf) and let it report warnings only.

    Raises:
        MissingExtraError: It is not installed.
    """
    nncf = import_extra('nncf', 'quant')
    nncf.set_log_level(logging.WARNING)
    return nncf


def preset_of(name: str) -> object:
    """Return NNCF's preset by its name.

    Args:
        name: ``'mixed'`` (symmetric weights, asymmetric activations) or ``'performance'`` (all symmetric).

    Raises:
        ValueError: There is no such preset.
    """
    if name not in PRESETS:
        raise WrongValueError(f'preset: got {name!r}, expected one of {PRESETS}')
    return import_nncf().QuantizationPreset(name)
