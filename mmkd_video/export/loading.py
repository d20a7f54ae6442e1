"""Backends and exported files by name."""

from pathlib import Path

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import EXPORT_BACKENDS
from mmkd_video.export.exported_model import ExportedModel


def export_backends() -> dict[str, type[ExportedModel]]:
    """Return every registered backend by the name of its runtime; those of users too."""
    return {each.backend: each for each in EXPORT_BACKENDS.module_dict.values()}


def backend_of_format(name: str) -> type[ExportedModel]:
    """Return the backend that writes a format.

    Args:
        name: Name such as ``'onnx'``.

    Raises:
        ValueError: There is none.
    """
    formats = {each.format: each for each in export_backends().values()}
    if name not in formats:
        raise WrongValueError(f'--format: got {name!r}, expected one of {", ".join(formats)}')
    return formats[name]


def backend_of_file(path: str | Path) -> type[ExportedModel] | None:
    """Return the backend that writes files of such a name, and runs them by default; None where there is none.

    Args:
        path: A file, which need not be there.
    """
    return next((each for each in export_backends().values() if each.written[0] == Path(path).suffix), None)


def exported_suffixes() -> list[str]:
    """Return how the names of exported files end."""
    return [each.written[0] for each in export_backends().values()]


def int8_backends() -> list[type[ExportedModel]]:
    """Return the backends for which any model can be made int8; the first is taken where none is named."""
    return [each for each in export_backends().values() if each.int8_maker is not None]


def expect_int8_backend(path: str | Path, option: str = '--out') -> type[ExportedModel]:
    """Return the backend of an int8 file.

    Args:
        path: The file to write; one that no backend writes is taken for the first of :func:`int8_backends`.
        option: Name of the option in the message.

    Raises:
        ValueError: The backend of such files has nothing that makes them int8.
    """
    able = int8_backends()
    found = backend_of_file(path) or able[0]
    if found not in able:
        names = ' and '.join(f'{each.title} only, as {each.written[0]}' for each in able)
        reason = found.refusals.get('int8', f'{found.title} has nothing that makes models so')
        raise WrongValueError(f'{option} {path}: int8 is written for {names}; {reason}')
    return found


def expect_backend(path: str | Path, backend: str | None = None) -> type[ExportedModel]:
    """Return the backend that is to run a file.

    Args:
        path: A file, which need not be there.
        backend: Its name; by default the one that writes such files.

    Raises:
        ValueError: There is no such backend, or none writes such files.
    """
    known = export_backends()
    if backend is not None and backend not in known:
        raise WrongValueError(f'backend: got {backend!r}, expected one of {", ".join(known)}')
    found = known[backend] if backend is not None else backend_of_file(path)
    if found is None:
        raise WrongValueError(f'got {str(path)!r}; expected a file that ends in {" or ".join(exported_suffixes())}')
    return found


def load_exported(
    path: str | Path,
    backend: str | None = None,
    threads: int | None = None,
    precision: str | None = None,
    batch: int | None = None,
) -> ExportedModel:
    """Open an exported file in its runtime.

    Args:
        path: ``.onnx``, ``.xml`` with its ``.bin`` beside it, or a file of another registered backend.
        backend: Name such as ``'onnxruntime'`` or ``'openvino'``; by default the one that writes such files.
        threads: Number of threads; see :class:`ExportedModel` for this and the others.
        precision: ``'f32'``, ``'bf16'`` or ``'int8'``.
        batch: Batch size to fix.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The backend is unknown, or the file or an argument is not for it.
        MissingExtraError: The runtime is not installed.
    """
    return expect_backend(path, backend)(path, threads=threads, precision=precision, batch=batch)
