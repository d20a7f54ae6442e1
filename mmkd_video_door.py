"""What runs before ``mmkd_video`` is imported, which takes seconds: the scripts in ``tools/``, and a hook of torch's.

The hook lets MMAction2's own tools resolve ``mmkd_video::...``; see docs/install.md. Bases of a config are resolved
before its ``custom_imports``, so that nobody has imported ``mmkd_video`` by then. But torch is imported, and since 2.5
it calls at the end of its import what installed packages name in the entry points ``torch.backends``:
:func:`open_door`. The environment variable ``TORCH_DEVICE_BACKEND_AUTOLOAD=0`` makes it leave that.

An exception in the hook would make torch fail to import, and an import of ``mmkd_video`` would cost everybody seconds.
"""

import importlib.util
import sys
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


def run_tool(command: str) -> None:
    """Run a command of ``mmkd`` under the name of this script, and exit with its code.

    Args:
        command: One of ``mmkd_video.cli.commands.COMMANDS``.
    """
    try:
        commands = importlib.import_module('mmkd_video.cli.commands')
    except KeyboardInterrupt:  # as after a ctrl-C later on: one line
        print('\ninterrupted', file=sys.stderr)
        sys.exit(130)
    sys.exit(commands.run(command))
