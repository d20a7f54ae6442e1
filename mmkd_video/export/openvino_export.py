"""Recognizers as OpenVINO IR."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from torch import nn

from mmkd_video.core.files.staged import atomic_files, expect_new_files
from mmkd_video.core.mistakes import UnwrittenFileError
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.export.deployable import DeployableRecognizer
from mmkd_video.export.metadata import PREFIX, ExportMetadata
from mmkd_video.export.onnx_export import export_onnx
from mmkd_video.export.seal import BLANK, FIELD, seal

SUFFIXES = ('.xml', '.bin')


def export_openvino(
    model: nn.Module,
    path: str | Path,
    clips: np.ndarray,
    metadata: ExportMetadata | None = None,
    dynamic_clips: bool = False,
    force: bool = False,
) -> Path:
    """Write a recognizer as OpenVINO IR, with input ``clips`` and output ``probabilities``.

    It goes through ONNX, so that both files hold the same graph. Weights are stored in float32 whatever
    ``metadata.precision`` says: ``'bf16'`` is how :class:`OpenVINOModel` then runs the file by default.

    Args:
        model: A recognizer, or a :class:`DeployableRecognizer`.
        path: Path of the ``.xml``; the weights lie beside it in a ``.bin``.
        clips: ``(N, M, ...)`` of the shape and type that the file is to take.
        metadata: Description that the file carries of itself; by default derived from model and clips.
        dynamic_clips: Whether M is dynamic too; for TSM in multiples of its segments.
        force: Whether existing files may be replaced.

    Returns:
        The path of the ``.xml``.

    Raises:
        MissingExtraError: OpenVINO or ONNX is not installed.
        FileExistsError: A file exists.
        ValueError: The name is wrong, or the clips do not fit the model.
        RuntimeError: torch or OpenVINO cannot export this model.
    """
    openvino = import_extra('openvino', 'openvino')
    expect_new_files(path, SUFFIXES, force)
    model = model if isinstance(model, DeployableRecognizer) else DeployableRecognizer(model)
    metadata = metadata or ExportMetadata.describe(model, clips, dynamic_clips=dynamic_clips)
    with TemporaryDirectory() as folder:
        onnx_path = export_onnx(model, Path(folder) / 'model.onnx', clips, metadata, dynamic_clips)
        return save_openvino(openvino.Core().read_model(onnx_path), path, metadata, force)


def save_openvino(model: Any, path: str | Path, metadata: ExportMetadata, force: bool = False) -> Path:
    """Write an OpenVINO model with metadata, and a digest of both files.

    Args:
        model: An ``openvino.Model``; its ``rt_info`` is changed, and its batch to the one that the metadata fix.
        path: Path of the ``.xml``.
        metadata: Description that the file carries of itself.
        force: Whether existing files may be replaced.

    Raises:
        FileExistsError: A file exists.
    """
    openvino = import_extra('openvino', 'openvino')
    if metadata.batch is not None:
        fix_batch(model, metadata.batch)
    for name, text in {**metadata.to_strings(), FIELD: BLANK}.items():
        model.set_rt_info(text, [PREFIX, name])
    with atomic_files(path, SUFFIXES, force) as temporary:
        openvino.save_model(model, str(temporary), compress_to_fp16=False)
        _expect_readable(openvino, temporary, path)
        seal(temporary, SUFFIXES)
    return Path(path)


def fix_batch(model: Any, batch: int) -> None:
    """Let an OpenVINO model take one batch size, so that the runtime plans ahead.

    Args:
        model: An ``openvino.Model``; changed in place.
        batch: Samples at once.
    """
    shape = model.input(0).partial_shape
    shape[0] = batch
    model.reshape(shape)


def _expect_readable(openvino: Any, written: Path, path: str | Path) -> None:
    # OpenVINO is silent about a full disk.
    try:
        openvino.Core().read_model(written)
    except RuntimeError as error:
        raise UnwrittenFileError(f'{path} could not be written as a whole; is the disk full?') from error
