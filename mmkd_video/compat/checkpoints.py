"""Resuming, ``load_from`` and testing fail with ``UnpicklingError: Weights only load failed ... HistoryBuffer``.

Cause: since torch 2.6 ``torch.load`` reads tensors and plain data only, while MMEngine's checkpoints also hold its log
buffers (``HistoryBuffer``), which are numpy arrays and, through pickle, four of their own methods. And what comes from
an address is read without that protection: there MMEngine calls ``torch.hub``, whose default is another one.

Fix: every loader of MMEngine, whatever it fetches from where, reads through :mod:`safe_load`. Files with log buffers
are read, nothing is executed, and a file is named that is refused, cannot be read or has other checksums than it says.
See https://docs.pytorch.org/docs/stable/notes/serialization.html#weights-only.
"""

import io
import os
import pickle
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlparse

from mmkd_video.compat import safe_load
from mmkd_video.compat.file_address import without_scheme
from mmkd_video.compat.mistakes import WrongValueError
from mmkd_video.compat.patching import after_import, wrap

_ASKED_FOR: ContextVar[str | None] = ContextVar('checkpoint that MMEngine was asked for', default=None)


def load_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
) -> Any:
    """Download a checkpoint, unless it was downloaded before, and read it as any local one.

    Args:
        url: Address of the file.
        model_dir: Folder where it is kept; torch's own folder for downloads by default.
        map_location: Device of the tensors, as in :func:`torch.load`.
        progress: Whether a bar shows how far the download is.
        check_hash: Whether the name ends in the beginning of the file's SHA-256, which must be right.
        file_name: Name of the kept file; that of the URL by default.

    Raises:
        UnsafeCheckpointError: The file asks for what is no plain data; nothing of it was executed.
        UnreadableCheckpointError: It is damaged or no checkpoint.
        ValueError: The URL names no file.
    """
    from torch import hub

    name = os.path.basename(file_name or urlparse(url).path)
    if not name:
        raise WrongValueError(f'{url!r} names no file; expected the address of a checkpoint')
    folder = Path(model_dir or Path(hub.get_dir(), 'checkpoints'))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        digest = hub.HASH_REGEX.search(name) if check_hash else None
        hub.download_url_to_file(url, str(path), digest.group(1) if digest else None, progress=progress)
    return safe_load.load(path, map_location, called=f'{url} (kept as {path})')


class _SafeTorch(ModuleType):
    """The torch module for MMEngine's loaders: the same but for ``load``, which executes nothing."""

    def __init__(self, torch: ModuleType) -> None:
        super().__init__(torch.__name__, torch.__doc__)
        self.__dict__['real'] = torch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__['real'], name)

    def load(self, file: Any, map_location: Any = None, **_ignored: Any) -> Any:
        """Read a path, or an open file with the checkpoint's bytes."""
        if isinstance(file, (str, os.PathLike)):
            return safe_load.load(file, map_location, called=_ASKED_FOR.get())
        content = file.getvalue() if isinstance(file, io.BytesIO) else file.read()
        return safe_load.load_bytes(content, _ASKED_FOR.get() or 'the checkpoint', map_location)


def _without_code(loaded: Any) -> Any:
    """Drop the config's text in checkpoints of MMCV, which MMEngine executes when a training is resumed."""
    if isinstance(loaded, dict) and isinstance(loaded.get('meta'), dict):
        loaded['meta'].pop('config', None)
    return loaded


def _name_the_file(load_checkpoint: Callable) -> Callable:
    def load(cls: type, filename: str, *args: Any, **kwargs: Any) -> Any:
        filename = without_scheme(str(filename))
        before = _ASKED_FOR.set(filename)
        try:
            return _without_code(load_checkpoint(cls, filename, *args, **kwargs))
        except OSError:
            raise
        except Exception as error:  # torch raises as many types as there are ways to break a file
            if isinstance(error, (safe_load.UnsafeCheckpointError, safe_load.UnreadableCheckpointError)):
                raise
            if not isinstance(error, pickle.UnpicklingError) and not Path(filename).expanduser().is_file():
                raise
            raise safe_load.explain_failure(error, filename) from None
        finally:
            _ASKED_FOR.reset(before)

    return load


def _patch_loaders(module: ModuleType) -> None:
    if not isinstance(module.torch, _SafeTorch):
        module.torch = _SafeTorch(module.torch)
    module.load_url = load_url
    wrap(module.CheckpointLoader, 'load_checkpoint', _name_the_file)


def _patch_download(module: ModuleType) -> None:
    module.load_url = load_url


def applies() -> bool:
    """Return whether torch reads weights only by default."""
    import torch

    return hasattr(torch.serialization, '_default_to_weights_only')


def apply() -> None:
    """Let MMEngine's loaders read safely as soon as they are imported."""
    after_import('mmengine.utils.dl_utils.hub', _patch_download)
    after_import('mmengine.utils.dl_utils', _patch_download)
    after_import('mmengine.runner.checkpoint', _patch_loaders)
