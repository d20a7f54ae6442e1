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
from mmkd_video.export.frame_stream import NEXT
from mmkd_video.export.metadata import PREFIX, ExportMetadata
from mmkd_video.export.onnx_export import export_onnx, export_onnx_stream
from mmkd_video.export.seal import BLANK, FIELD, seal
from mmkd_video.export.streaming_recognizer import StreamingRecognizer

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


def export_openvino_stream(
    model: StreamingRecognizer, path: str | Path, metadata: ExportMetadata, force: bool = False
) -> Path:
    """Write a recognizer as a stateful OpenVINO IR: an infer request takes ``frame`` and keeps the states itself.

    See https://docs.openvino.ai/2026/openvino-workflow/running-inference/inference-request/stateful-models.html.

    Args:
        model: Model with states.
        path: Path of the ``.xml``; the weights lie beside it in a ``.bin``.
        metadata: Description that the file carries of itself.
        force: Whether existing files may be replaced.

    Raises:
        MissingExtraError: OpenVINO or ONNX is not installed.
        FileExistsError: A file exists.
        RuntimeError: torch or OpenVINO cannot export this model.
    """
    openvino = import_extra('openvino', 'openvino')
    expect_new_files(path, SUFFIXES, force)
    with TemporaryDirectory() as folder:
        onnx_path = export_onnx_stream(model, Path(folder) / 'model.onnx', metadata)
        found = openvino.Core().read_model(onnx_path)
        keep_states(found, metadata)
        return save_openvino(found, path, metadata, force)


def states_of(model: Any) -> dict[str, list[int]]:
    """Return the shapes of the states of an OpenVINO model by name, whether it keeps them itself or not.

    Args:
        model: An ``openvino.Model``.
    """
    found = {each.any_name: each.partial_shape for each in model.inputs[1:]}
    for each in model.get_variables():
        start, _, end = each.info.variable_id.rpartition(NEXT)
        found[start if start == end else each.info.variable_id] = each.info.data_shape
    return {name: [] if shape.is_dynamic else list(shape.to_shape()) for name, shape in found.items()}


def keep_states(model: Any, metadata: ExportMetadata) -> None:
    """Let an OpenVINO model with states as inputs and outputs keep them itself.

    Args:
        model: An ``openvino.Model`` read from an ONNX file; changed in place.
        metadata: Metadata that tell the states.
    """
    from openvino._offline_transformations import apply_make_stateful_transformation

    if metadata.streams:
        apply_make_stateful_transformation(model, {each['name']: f'{NEXT}{each["name"]}' for each in metadata.states})


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
