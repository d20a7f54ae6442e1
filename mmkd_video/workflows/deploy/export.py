"""A trained student becomes a file that runs without PyTorch."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmkd_video.core.files.staged import commit_staged, expect_new_files, staged_files
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.export import (
    DeployableRecognizer,
    ExportedModel,
    ExportMetadata,
    ParityReport,
    StreamingRecognizer,
    backend_of_file,
    backend_of_format,
    check_parity,
)
from mmkd_video.recognizers.class_names import class_names
from mmkd_video.recognizers.clip_shape import expect_shape
from mmkd_video.recognizers.clip_source import unaugmented_clips
from mmkd_video.recognizers.real_clips import RealClips, real_clips
from mmkd_video.workflows.deploy.quantized_student import (
    VALIDATION,
    Source,
    convert_trained,
    keeping_best_try,
    write_quantized,
)
from mmkd_video.workflows.deploy.student import StudentCheckpoint

DEFAULT_FORMAT = 'onnx'


def export_student(
    config: Config,
    checkpoint: str | Path,
    path: str | Path,
    *,
    format: str | None = None,
    precision: str | None = None,
    dynamic_clips: bool = False,
    batch: int | None = 1,
    stream: bool = False,
    num_clips: int = 16,
    shape: Sequence[int] | None = None,
    check: bool = True,
    force: bool = False,
) -> ParityReport | None:
    """Write the student of a config as a file, and compare it with PyTorch on real clips.

    Args:
        config: The student's config, that of its distillation, or of a pruned model.
        checkpoint: The student's checkpoint.
        path: The file to write, such as ``.onnx`` or ``.xml``.
        format: Name of a registered backend's format, such as ``'onnx'``; by the suffix of ``path`` by default.
        precision: Precision that the file is meant to run in: one of the backend's, such as ``'f32'``; ``'int8'`` with
            the ranges of a student that ``QATHook`` trained. By default int8 for such a student where the backend has
            it, else f32.
        dynamic_clips: Whether the number of clips may vary.
        batch: Samples that the file computes at once; None for any number, which runtimes compute more slowly.
        stream: Whether the file takes one frame at a time and keeps what it needs of earlier ones, for students whose
            layers look back only.
        num_clips: Number of clips of the test data set to compare on.
        shape: Shape of one sample, where the data set is not here; only without ``check``.
        check: Whether to compare; in int8 also whether to measure top-1 on validation clips, of which it may lose 0.01.
        force: Whether existing files may be replaced. By files that fail the comparison they are not: those get names
            that end in ``.failed.onnx`` or ``.failed.xml``.

    Returns:
        What the comparison found; None without one.

    Raises:
        FileExistsError: A file exists.
        FileNotFoundError: The checkpoint or the data are not there.
        ValueError: Checkpoint, config, data or arguments do not go together, or the file loses too much in int8.
        MissingExtraError: A package is missing.
        RuntimeError: The model cannot be exported, or not be run in int8.
    """
    if shape is not None:
        if check:
            raise WrongValueError(
                '--shape is for a machine without the data set: nothing can be compared; add --no-check'
            )
        expect_shape(shape, _pipeline(config), dynamic_clips)
    path, backend = export_target(path, format, force)
    trained = StudentCheckpoint.read(checkpoint)
    in_int8 = trained.quantization is not None
    if stream:
        precision = _stream_precision(precision, batch, dynamic_clips)
    precision = _precision(precision, backend, in_int8, dynamic_clips)
    model = DeployableRecognizer(trained.build(config, as_trained=precision == 'int8'))
    if in_int8 and precision != 'int8':
        print('note: this student was trained in int8; this file computes in float')
    found = real_clips(config, max(num_clips, 2)) if shape is None else _blank_clip(config, shape)
    streaming = StreamingRecognizer(model, found.clips[0]) if stream else None
    states = [] if streaming is None else [dict(name=name, shape=shape) for name, shape in streaming.states.items()]
    metadata = ExportMetadata.describe(
        model,
        np.stack(found.clips[:1]),
        class_names(config, model.num_classes),
        found.pipeline,
        dynamic_clips=dynamic_clips,
        batch=batch,
        precision=precision,
        checkpoint_sha256=trained.digest,
        states=states,
    )
    if precision == 'int8' and backend.int8_maker is not None:
        return _write_int8(config, Source.trained(backend, model, metadata), path, found, check)
    with staged_files(path, backend.written) as staged:
        if streaming is None:
            backend.export(model, staged, np.stack(found.clips[:1]), metadata, dynamic_clips)
        else:
            backend.export_stream(streaming, staged, metadata)
        report = check_parity(model, backend(staged), found.clips, found.names) if check else None
        path = commit_staged(staged, path, backend.written, report is None or report.passed)
    for each in backend.files(path):
        print(f'wrote {each} ({each.stat().st_size / 1e6:.2f} MB)')
    return None if report is None else dataclasses.replace(report, path=str(path))


def export_target(path: str | Path, format: str | None = None, force: bool = False) -> tuple[Path, type[ExportedModel]]:
    """Return the file to write and the backend that writes it, once nothing is in the way.

    Args:
        path: The file.
        format: Name of the backend's format; by the suffix of ``path`` by default.
        force: Whether existing files may be replaced.

    Raises:
        FileExistsError: A file exists.
        ValueError: There is no such format, or the name ends otherwise.
    """
    backend = backend_of_format(format) if format is not None else backend_of_file(path)
    backend = backend or backend_of_format(DEFAULT_FORMAT)
    return expect_new_files(path, backend.written, force), backend


def _write_int8(config: Config, source: Source, path: Path, found: RealClips, check: bool) -> ParityReport | None:
    validating = unaugmented_clips(config, VALIDATION, 'val_dataloader') if check else None
    with keeping_best_try(source, path):
        graph, scores = convert_trained(source, np.stack(found.clips[:1]), validating)
    written = write_quantized(source, graph, path, found if check else None, scores=scores)
    print(written.summary)
    return written.report


def _precision(asked: str | None, backend: type[ExportedModel], trained_in_int8: bool, dynamic_clips: bool) -> str:
    if asked == 'int8' and not trained_in_int8:
        raise WrongValueError('--precision int8: this student was not trained in int8; tools/quantize.py calibrates it')
    if asked is None:
        asked = 'int8' if trained_in_int8 and 'int8' in backend.precisions else 'f32'
    backend.expect_precision(asked)
    if asked == 'int8' and dynamic_clips:
        raise WrongValueError(
            '--dynamic-clips: the number of clips is fixed in int8; leave it out, or add --precision f32'
        )
    return asked


def _stream_precision(asked: str | None, batch: int | None, dynamic_clips: bool) -> str:
    for option, given, expected in (('--batch', batch, 1), ('--dynamic-clips', dynamic_clips, False)):
        if given != expected:
            raise WrongValueError(f'--stream: got {option} too; a stream is one clip at a time; leave it out')
    if asked == 'int8':
        raise WrongValueError(
            '--stream: got --precision int8; ranges of what is kept from frame to frame are not calibrated; leave it '
            'out for float, or --stream for a file of whole clips in int8'
        )
    return asked or 'f32'


def _blank_clip(config: Config, shape: Sequence[int]) -> RealClips:
    return RealClips((np.zeros(shape, np.uint8),), ('',), (-1,), _pipeline(config))


def _pipeline(config: Config) -> tuple[dict, ...]:
    steps = ((config.get('test_dataloader') or {}).get('dataset') or {}).get('pipeline') or ()
    return tuple(dict(step) for step in steps)
