"""Lets MMAction2's own tools resolve ``mmkd_video::...``; see docs/install.md.

Bases of a config are resolved before its ``custom_imports``, so that nobody has imported ``mmkd_video`` by then. But
torch is imported, and since 2.5 it calls at the end of its import what installed packages name in the entry points
``torch.backends``: :func:`open_door`. The environment variable ``TORCH_DEVICE_BACKEND_AUTOLOAD=0`` makes it leave that.

An exception here would make torch fail to import, and an import of ``mmkd_video`` would cost everybody seconds.
"""

import importlib.util
from pathlib import Path

CODE = Path(__file__).with_name('mmkd_video') / 'compat' / 'own_configs.py'


def open_door() -> None:
    """Let MMEngine know our configs once it is imported; where that fails, bases are as unknown as without this."""
    try:
        spec = importlib.util.spec_from_file_location('mmkd_video_own_configs', CODE)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.apply()
    except Exception:
        return
