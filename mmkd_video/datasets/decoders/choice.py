"""Which library reads videos, and how ``DecordInit`` follows the choice."""

import io
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmkd_video.compat.patching import after_import, wrap
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.optional_packages import MissingExtraError, import_extra
from mmkd_video.datasets.decoders.pyav import PyAVReader
from mmkd_video.datasets.decoders.torchcodec import TorchCodecReader

DECORD = 'decord'


def _open_decord(content: bytes, threads: int) -> Any:
    return import_extra('decord', DECORD).VideoReader(io.BytesIO(content), num_threads=threads)


def _open_decord2(content: bytes, threads: int) -> Any:
    found = import_extra('decord', 'decord2').__version__  # the successor goes by the same name
    if found.startswith('0.'):
        raise MissingExtraError(
            f'decord2 is not installed: the module decord is decord {found}, and both own the same files; run '
            '`pip uninstall decord`, then `pip install decord2`'
        )
    return _open_decord(content, threads)


DECODERS: dict[str, Callable[[bytes, int], Any]] = {
    DECORD: _open_decord,
    'decord2': _open_decord2,
    'torchcodec': TorchCodecReader,
    'pyav': PyAVReader,
}


def chosen_decoder() -> str:
    """Return the name of the decoder that the environment asks for; decord by default.

    Raises:
        ValueError: ``MMKD_DECODER`` names none.
    """
    name = os.environ.get('MMKD_DECODER') or DECORD
    if name not in DECODERS:
        raise WrongValueError(f'MMKD_DECODER: got {name!r}; expected one of {", ".join(DECODERS)}')
    return name


def open_video(content: bytes, decoder: str | None = None, threads: int = 1) -> Any:
    """Open a video.

    Args:
        content: The file.
        decoder: Name in ``DECODERS``; by default the chosen one.
        threads: Threads that decode.

    Returns:
        What answers to ``len()``, ``get_avg_fps()``, ``get_batch(indices).asnumpy()``, ``(N, H, W, 3)`` in RGB,
        ``seek(index)`` and ``next().asnumpy()``, as decord's reader does.

    Raises:
        ImportError: The library is not installed, or does not import.
        Exception: As the library raises for what it cannot read.
    """
    return DECODERS[decoder or chosen_decoder()](content, threads)


def expect_decoder(name: str) -> None:
    """See that a library is there.

    Args:
        name: Name in ``DECODERS``.

    Raises:
        ImportError: It is not installed, or does not import.
    """
    try:
        open_video(b'', name)
    except ImportError:
        raise
    except Exception:  # it is there, and refuses an empty video
        return


def _choosing(get: Callable) -> Callable:
    def patched(self: Any, filename: str) -> Any:
        name = chosen_decoder()
        if name == DECORD:
            return get(self, filename)
        if os.path.splitext(filename)[0] == filename:
            filename += '.mp4'
        if self.file_client is None:
            from mmengine.fileio import FileClient

            self.file_client = FileClient(self.io_backend, **self.kwargs)
        return open_video(self.file_client.get(filename), name, self.num_threads)

    return patched


def _mend(module: ModuleType) -> None:
    wrap(module.DecordInit, '_get_video_reader', _choosing)


def follow_choice() -> None:
    """Let MMAction2's ``DecordInit`` open videos with the chosen decoder; twice is once."""
    after_import('mmaction.datasets.transforms.loading', _mend)
