"""A feature: ``_base_ = 'mmkd_video::_base_/mmkd.py'``, as OpenMMLab's own packages have it.

MMEngine resolves ``package::path`` for a fixed list of packages, and marks what it reads with the package's name, under
which it then looks for classes. Ours are registered with MMAction2's, so that our configs must bear no such mark.

This file is also read by ``mmkd_video_door.py``, at the end of ``import torch`` and without our package: it imports
nothing but the standard library.
"""

import difflib
import functools
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

PACKAGE = 'mmkd_video'
PREFIX = f'{PACKAGE}::'
MODULE, LIST = 'mmengine.config.config', 'mmengine.config.utils'
_MARK = 'mmkd_video_knows_its_configs'
_ROOT = Path(__file__).resolve().parents[2]


class _WatchImports(MetaPathFinder):
    """Finds no module; looks at each import whether MMEngine's configs are there by now.

    To wait for one module would not do: MMEngine's configs import torch, and torch may be what calls us.
    """

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """Return None, which lets the other finders answer."""
        _mend()


_WATCH = _WatchImports()


def configs_folder() -> Path:
    """Return the folder of the shipped configs: the wheel's, or the clone's.

    Raises:
        FileNotFoundError: The package was copied without them.
    """
    for folder in (_ROOT / PACKAGE / '.mim' / 'configs', _ROOT / 'configs'):
        if (folder / '_base_' / 'mmkd.py').is_file():
            return folder.resolve()
    raise FileNotFoundError(f'{PACKAGE} in {_ROOT} has no configs; install it from a wheel, or from a clone')


def shipped_config(name: str) -> Path:
    """Return the file that ``mmkd_video::<name>`` means.

    Args:
        name: Path below the folder of the shipped configs.

    Raises:
        FileNotFoundError: There is none.
    """
    path = configs_folder() / name
    if path.is_file():
        return path
    known = shipped_names()
    near = [each for each in known if Path(each).name == Path(name).name] or difflib.get_close_matches(name, known, 1)
    hint = f'did you mean {" or ".join(PREFIX + each for each in near)}?' if near else f'they are in {configs_folder()}'
    raise FileNotFoundError(f'{PREFIX}{name}: no config of that name comes with {PACKAGE}; {hint}')


def shipped_names() -> list[str]:
    """Return the names of all shipped configs, as they follow ``mmkd_video::``."""
    folder = configs_folder()
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*.py'))


def _know_ours(get_cfg_path: Callable) -> Callable:
    @functools.wraps(get_cfg_path)
    def patched(cfg_path: str, filename: str) -> tuple[str, str | None]:
        if not cfg_path.startswith(PREFIX):
            return get_cfg_path(cfg_path, filename)
        return str(shipped_config(cfg_path.removeprefix(PREFIX))), None

    setattr(patched, _MARK, True)
    return patched


def _mend() -> bool:
    """Extend MMEngine's configs if they are imported; return whether they are."""
    config = getattr(sys.modules.get(MODULE), 'Config', None)
    if config is None:
        return False
    if not getattr(config._get_cfg_path, _MARK, False):
        config._get_cfg_path = staticmethod(_know_ours(config._get_cfg_path))
        sys.modules[LIST].MODULE2PACKAGE.setdefault(PACKAGE, PACKAGE)  # for mmengine.hub.get_config
    return True


def applies() -> bool:
    """Return whether MMEngine resolves bases as we extend it."""
    from mmengine.config import Config

    return hasattr(Config, '_get_cfg_path')


def apply() -> None:
    """Let MMEngine know our configs, as soon as its own module of configs is imported."""
    if not _mend() and _WATCH not in sys.meta_path:
        sys.meta_path.insert(0, _WATCH)
