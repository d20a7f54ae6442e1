"""Recognizers as ONNX files."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mmkd_video.core.files.staged import atomic_files, expect_new_files
from mmkd_video.core.mistakes import WorkFailedError, WrongValueError
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.export.deployable import DeployableRecognizer
from mmkd_video.export.frame_stream import FRAME, NEXT
from mmkd_video.export.metadata import PREFIX, ExportMetadata
from mmkd_video.export.seal import BLANK, FIELD, seal
from mmkd_video.export.streaming_recognizer import StreamingRecognizer
from mmkd_video.recognizers.families import frames_in_the_batch

INPUT, OUTPUT, BATCH = 'clips', 'probabilities', 'batch'
LEAST_OPSET = 20


def export_onnx(
    model: nn.Module,
    path: str | Path,
    clips: np.ndarray,
    metadata: ExportMetadata | None = None,
    dynamic_clips: bool = False,
    opset: int = LEAST_OPSET,
    force: bool = False,
) -> Path:
    """Write a recognizer as one ONNX file with input ``clips`` and output ``probabilities``.

    Traced by ``torch.export`` (https://docs.pytorch.org/docs/stable/onnx_export.html); the batch size is dynamic unless
    ``metadata.batch`` fixes it.

    Args:
        model: A recognizer, or a :class:`DeployableRecognizer`.
        path: Path of the ``.onnx``, which appears complete or not at all.
        clips: ``(N, M, ...)`` of the shape and type that the file is to take.
        metadata: Description that the file carries of itself; by default derived from model and clips.
        dynamic_clips: Whether M is dynamic too; for TSM in multiples of its segments.
        opset: Version of ONNX's operators, at least 20.
        force: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        MissingExtraError: ONNX is not installed.
        FileExistsError: The file exists.
        ValueError: The name or the opset is wrong, or the clips do not fit the model.
        RuntimeError: torch cannot export this model.
    """
    onnx = import_extra('onnx', 'onnx')
    import_extra('onnxscript', 'onnx')
    expect_new_files(path, ['.onnx'], force)
    if opset < LEAST_OPSET:
        raise WrongValueError(f'opset: got {opset}, expected at least {LEAST_OPSET}')
    model = model if isinstance(model, DeployableRecognizer) else DeployableRecognizer(model)
    metadata = metadata or ExportMetadata.describe(model, clips, dynamic_clips=dynamic_clips)
    program = _trace(model, clips, dynamic_clips, opset)
    return save_onnx(onnx.load_from_string(program.model_proto.SerializeToString()), path, metadata, force)


def export_onnx_stream(
    model: StreamingRecognizer, path: str | Path, metadata: ExportMetadata, force: bool = False
) -> Path:
    """Write a recognizer as one ONNX file that takes a frame and states, and gives probabilities and the next states.

    Its inputs are ``frame``, ``(1, C, H, W)``, and each state by its name; its outputs are ``probabilities`` and each
    state as ``next.<name>``.

    Args:
        model: Model with states.
        path: Path of the ``.onnx``, which appears complete or not at all.
        metadata: Description that the file carries of itself.
        force: Whether an existing file may be replaced.

    Raises:
        MissingExtraError: ONNX is not installed.
        FileExistsError: The file exists.
        RuntimeError: torch cannot export this model.
    """
    onnx = import_extra('onnx', 'onnx')
    import_extra('onnxscript', 'onnx')
    expect_new_files(path, ['.onnx'], force)
    frame = torch.zeros(1, *metadata.frame_shape, dtype=getattr(torch, metadata.dtype))
    names = [FRAME, *model.states], [OUTPUT, *(f'{NEXT}{name}' for name in model.states)]
    program = _export(
        model, (frame, *model.zeros()), names, LEAST_OPSET, f'{metadata.architecture} to ONNX frame by frame'
    )
    return save_onnx(onnx.load_from_string(program.model_proto.SerializeToString()), path, metadata, force)


def save_onnx(model: Any, path: str | Path, metadata: ExportMetadata, force: bool = False) -> Path:
    """Write an ONNX model with metadata, and a digest of all that is in it, into one file.

    Args:
        model: An ``onnx.ModelProto``; its metadata is changed, and its batch to the one that they fix.
        path: Path of the ``.onnx``.
        metadata: Description that the file carries of itself.
        force: Whether an existing file may be replaced.

    Raises:
        FileExistsError: The file exists.
    """
    onnx = import_extra('onnx', 'onnx')
    del model.metadata_props[:]
    strings = {**metadata.to_strings(), FIELD: BLANK}
    onnx.helper.set_model_props(model, {f'{PREFIX}.{name}': text for name, text in strings.items()})
    if metadata.batch is not None:
        _fix_batch(model.graph, metadata.batch)
    with atomic_files(path, ['.onnx'], force) as temporary:
        onnx.save(model, str(temporary))
        seal(temporary, ['.onnx'])
    return Path(path)


def _fix_batch(graph: Any, batch: int) -> None:
    for value in (*graph.input, *graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param == BATCH:
                dimension.dim_value = batch
    del graph.value_info[:]  # shapes in between that speak of any batch; runtimes work them out anew


def _trace(model: DeployableRecognizer, clips: np.ndarray, dynamic_clips: bool, opset: int) -> Any:
    example = torch.from_numpy(np.ascontiguousarray(np.concatenate([clips, clips])[:2]))  # a batch of 1 would be fixed
    dimensions: dict[int, Any] = {0: torch.export.Dim(BATCH)}
    if dynamic_clips:
        segments = frames_in_the_batch(model.recognizer.backbone) if model.layout == 'NCHW' else 1
        repeats = max(1, -(-2 * segments // example.shape[1]))
        example = torch.cat([example] * repeats, dim=1)
        dimensions[1] = segments * torch.export.Dim('clip_count')
    told = f'{model.architecture} to ONNX' + ' with a dynamic clip count' * dynamic_clips
    return _export(model, (example,), ([INPUT], [OUTPUT]), opset, told, dynamic_shapes=(dimensions,))


def _export(
    model: nn.Module, example: tuple, names: tuple[list[str], list[str]], opset: int, told: str, **more: Any
) -> Any:
    _forget_cached_tensors(model)
    try:
        with torch.no_grad(), _quiet():
            return torch.onnx.export(
                model,
                example,
                dynamo=True,
                opset_version=opset,
                input_names=names[0],
                output_names=names[1],
                verbose=False,
                custom_translation_table={torch.ops.aten.squeeze.dim: _squeeze},
                **more,
            )
    except Exception as error:  # torch raises a dozen types here
        reason = next(
            (line for line in str(error.__cause__ or error).splitlines() if line.strip()), type(error).__name__
        )
        raise WorkFailedError(f'torch {torch.__version__} cannot export {told}: {reason}') from error
    finally:
        _forget_cached_tensors(model)


def _squeeze(tensor: Any, dim: int) -> Any:
    # torch leaves a dimension that is not 1 as it is, ONNX refuses it. MMAction2's Recognizer2D takes the times of what
    # a neck gives out in this way, whether it is one or several.
    from onnxscript import opset20

    size = tensor.shape[dim] if tensor.shape is not None else None
    if isinstance(size, int) and size != 1:
        return opset20.Identity(tensor)
    return opset20.Squeeze(tensor, [dim])


@contextmanager
def _quiet() -> Iterator[None]:
    # torch warns once for each operator of a torchvision that is not needed.
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)


def _forget_cached_tensors(model: nn.Module) -> None:
    # Swin keeps its attention masks in an lru_cache: tensors made while tracing must not be met outside, nor the other
    # way round.
    for module in {type(each).__module__ for each in model.modules()}:
        for item in list(vars(sys.modules[module]).values()):
            if module.startswith('mmaction') and hasattr(item, 'cache_clear'):
                item.cache_clear()
