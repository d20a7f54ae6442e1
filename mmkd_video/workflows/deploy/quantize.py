"""A trained student becomes a file that runs in int8."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from mmengine.config import Config

from mmkd_video.core.files.staged import expect_new_files
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.export import (
    DeployableRecognizer,
    ExportedModel,
    ExportMetadata,
    backend_of_file,
    expect_int8_backend,
)
from mmkd_video.recognizers.class_names import class_names
from mmkd_video.recognizers.clip_source import ClipSource, unaugmented_clips
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.recognizers.real_clips import real_clips
from mmkd_video.workflows.deploy.quantized_student import (
    MAX_DROP,
    VALIDATION,
    QuantizedStudent,
    Source,
    convert_trained,
    keeping_best_try,
    megabytes,
    top1,
    write_quantized,
)
from mmkd_video.workflows.deploy.student import StudentCheckpoint, model_parts


def quantize_student(
    config: Config,
    source: str | Path,
    path: str | Path,
    *,
    calibration: int = 300,
    validation: int = VALIDATION,
    max_drop: float = MAX_DROP,
    preset: str = 'mixed',
    num_clips: int = 16,
    check: bool = True,
    force: bool = False,
) -> QuantizedStudent:
    """Write the student of a config in int8, and compare it with what it was in float.

    It is calibrated on training clips through the test pipeline, without augmentation; how much accuracy is lost is
    measured on validation clips through the same pipeline. Test clips only serve the comparison at the end.

    A checkpoint that ``QATHook`` trained has its ranges already: nothing is calibrated, no layer goes back to float,
    and the file is compared with the quantized model in PyTorch, from which it may lose ``max_drop`` too.

    Args:
        config: The student's config, that of its distillation, or of a pruned model.
        source: Its checkpoint, or the float file that ``tools/export.py`` wrote.
        path: The file to write, such as ``.xml``.
        calibration: Number of training clips to calibrate on.
        validation: Number of validation clips to measure the accuracy on.
        max_drop: Top-1 that may be lost on them, 0 to 1; the most sensitive layers stay in float until it holds.
            Where clips have no single label, the float model's answers are taken for the truth.
        preset: ``'mixed'`` or ``'performance'``.
        num_clips: Number of clips of the test data set to compare on.
        check: Whether to compare.
        force: Whether existing files may be replaced. By files that fail the comparison they are not: those get names
            that end in ``.failed.xml`` and ``.failed.bin``, for example.

    Raises:
        FileExistsError: A file exists.
        FileNotFoundError: The source or the data are not there.
        ValueError: Source, config, data or arguments do not go together, or ``max_drop`` cannot be reached; the best
            try is then kept as ``<name>.failed.xml``, for example.
        MissingExtraError: A package is missing.
        RuntimeError: The model cannot be exported or quantized.
    """
    backend = expect_int8_backend(path)
    path = expect_new_files(path, backend.written, force)
    if '://' not in str(source) and not Path(source).is_file():
        raise MissingFileError(f'checkpoint {str(source)!r} does not exist')
    backend.int8_maker.load_libraries()
    clips = unaugmented_clips(config, calibration, 'train_dataloader')
    validating = unaugmented_clips(config, validation, 'val_dataloader')
    with TemporaryDirectory() as folder:
        if backend_of_file(source) is backend:
            start = _exported(config, backend, Path(source))
        else:
            start = _loaded(config, backend, source, clips, Path(folder) / f'float{backend.written[0]}')
        with keeping_best_try(start, path):
            graph, float_layers, scores = _quantize(start, clips, validating, max_drop, preset)
        compared = real_clips(config, max(num_clips, 2)) if check else None
        return write_quantized(start, graph, path, compared, float_layers, scores)


def _exported(config: Config, backend: type[ExportedModel], source: Path) -> Source:
    metadata = backend(source).metadata
    if metadata.precision == 'int8':
        raise WrongValueError(f'{source} is quantized already; give the float file it was made from')
    if metadata.streams:
        raise WrongValueError(
            f'{source} takes one frame at a time; ranges of what it keeps are not calibrated; give the checkpoint, for '
            'a file of whole clips in int8'
        )
    architecture, classes = model_parts(plain_student(config).model)
    if classes is not None:
        metadata.expect_model(architecture or metadata.architecture, classes, source)
    exported = backend(source, precision='f32')
    return Source(backend, exported, source.name, metadata, megabytes(backend, source), exported)


def _loaded(
    config: Config, backend: type[ExportedModel], checkpoint: str | Path, clips: ClipSource, path: Path
) -> Source:
    trained = StudentCheckpoint.read(checkpoint)
    model = DeployableRecognizer(trained.build(config, as_trained=True))
    metadata = ExportMetadata.describe(
        model,
        np.stack(clips[:1]),
        class_names(config, model.num_classes),
        plain_student(config).test_dataloader.dataset.pipeline,
        batch=1,
        checkpoint_sha256=trained.digest,
    )
    if trained.quantization is not None:
        return Source.trained(backend, model, metadata)
    exported = backend(backend.export(model, path, np.stack(clips[:1]), metadata))
    return Source(backend, model, 'PyTorch', metadata, megabytes(backend, path), exported)


def _quantize(
    source: Source, clips: ClipSource, validating: ClipSource, max_drop: float, preset: str
) -> tuple[Any, tuple[str, ...], tuple[float, float]]:
    """Return the graph in int8, the names of its layers in float, and top-1 before and after."""
    if source.exported is None:
        graph, scores = convert_trained(source, np.stack(clips[:1]), validating, max_drop)
        return graph, (), scores
    source.exported.check(np.stack(clips[:1]))
    labels = validating.labels
    labels = source.exported.predict(validating).argmax(axis=1) if labels is None else labels
    maker = source.backend.int8_maker
    found = maker.calibrate(source.exported, clips, validating, top1(labels), max_drop, preset)
    return found.model, found.float_layers, (found.before, found.after)
