"""The code behind ``tools/quantize.py``: a trained student becomes a file that runs in int8."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from mmengine.config import Config

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.cli.arguments import checked_numbers
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.files.placed import expect_new
from mmkd_video.export import DeployableRecognizer, ExportMetadata, OpenVINOModel, export_openvino
from mmkd_video.quantization import CHECKPOINT_KEY, choose_operators, load_quantizers, quantize_within
from mmkd_video.quantization.nncf_library import PRESETS, import_nncf
from mmkd_video.recognizers.class_names import class_names
from mmkd_video.recognizers.clip_source import ClipSource, unaugmented_clips
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.recognizers.real_clips import real_clips
from mmkd_video.workflows.deploy.quantized_student import (
    MAX_DROP,
    SUFFIXES,
    VALIDATION,
    QuantizedStudent,
    Source,
    best_kept,
    convert_trained,
    megabytes,
    top1,
    write_quantized,
)
from mmkd_video.workflows.deploy.student import checkpoint_digest, load_student, model_parts, read_checkpoint


def main(arguments: Sequence[str] | None = None) -> QuantizedStudent:
    """Quantize as the command line says."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    with exit_on_error(parser):
        config = read_config(options.config, options.cfg_options)
        found = quantize_student(
            config,
            options.source,
            options.out or Path(options.source).with_name(f'{Path(options.source).stem}_int8.xml'),
            calibration=options.calibration,
            validation=options.validation,
            max_drop=options.max_drop,
            preset=options.preset,
            num_clips=options.clips,
            check=not options.no_check,
            force=options.force,
        )
    print(found)
    if found.report is not None and not found.report.passed:
        worst = found.report.worst
        parser.exit(1, f'error: {found.path} does not say what the model says, worst on {worst}; it is kept as it is\n')
    return found


def quantize_student(
    config: Config,
    source: str | Path,
    path: str | Path,
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
        config: Of the student, of its distillation, or of a pruned model.
        source: Its checkpoint, or the float ``.xml`` that ``tools/export.py`` wrote.
        path: Ends in ``.xml``.
        calibration: Number of training clips.
        validation: Number of validation clips.
        max_drop: Top-1 that may be lost on them, 0 to 1; the most sensitive layers stay in float until it holds.
            Where clips have no single label, the float model's answers are taken for the truth.
        preset: ``'mixed'`` or ``'performance'``.
        num_clips: Of the test data set, to compare on.
        check: Whether to compare.
        force: Whether existing files may be replaced. By files that fail the comparison they are not: those get names
            that end in ``.failed.xml`` and ``.failed.bin``.

    Raises:
        FileExistsError: A file exists.
        FileNotFoundError: The source or the data are not there.
        ValueError: Source, config, data or arguments do not go together, or ``max_drop`` cannot be reached; the best
            try is then kept as ``<name>.failed.xml``.
        MissingExtraError: A package is missing.
        RuntimeError: The model cannot be exported or quantized.
    """
    path = _target(path, force)
    if '://' not in str(source) and not Path(source).is_file():
        raise FileNotFoundError(f'checkpoint {str(source)!r} does not exist')
    import_nncf()
    clips = unaugmented_clips(config, calibration, 'train_dataloader')
    validating = unaugmented_clips(config, validation, 'val_dataloader')
    with TemporaryDirectory() as folder:
        if Path(source).suffix == '.xml':
            start = _exported(config, Path(source))
        else:
            start = _loaded(config, source, clips, Path(folder) / 'float.xml')
        with best_kept(start, path):
            model, float_layers, scores = _quantize(start, clips, validating, max_drop, preset)
        compared = real_clips(config, max(num_clips, 2)) if check else None
        return write_quantized(start, model, path, compared, float_layers, scores)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='quantize.py',
        description='Write a student as OpenVINO in int8: calibrate on training clips, leave the most sensitive layers '
        'in float until the accuracy holds, and compare the file with the float model on clips of the test data set. '
        'Exits with 1 where they differ.',
        epilog=EXITS,
    )
    parser.add_argument('config', help='of the student, or of its distillation')
    parser.add_argument('source', metavar='checkpoint|model.xml', help='of the student, or exported in float')
    parser.add_argument('--out', metavar='FILE', help='.xml; beside the source by default')
    parser.add_argument('--calibration', type=int, default=300, metavar='N', help='training clips to calibrate (300)')
    parser.add_argument(
        '--validation', type=int, default=VALIDATION, metavar='N', help=f'clips to measure accuracy on ({VALIDATION})'
    )
    parser.add_argument(
        '--max-drop', type=float, default=MAX_DROP, metavar='X', help=f'top-1 that may be lost ({MAX_DROP})'
    )
    parser.add_argument('--preset', choices=PRESETS, default='mixed', help='mixed: asymmetric activations; the default')
    parser.add_argument('--clips', type=int, default=16, metavar='N', help='test clips to compare on (16)')
    parser.add_argument('--no-check', action='store_true', help='do not compare with the float model')
    parser.add_argument('--force', action='store_true', help='replace existing files')
    add_cfg_options(parser)
    return checked_numbers(parser)


def _target(path: str | Path, force: bool) -> Path:
    if Path(path).suffix == '.onnx':
        raise ValueError(
            f'--out {path}: int8 is written for OpenVINO only, as .xml; ONNX Runtime gains nothing from int8 where '
            'convolutions are 3-D'
        )
    return expect_new(path, SUFFIXES, force)


def _exported(config: Config, source: Path) -> Source:
    metadata = OpenVINOModel(source).metadata
    if metadata.precision == 'int8':
        raise ValueError(f'{source} is quantized already; give the float file it was made from')
    architecture, classes = model_parts(plain_student(config).model)
    if classes is not None:
        metadata.expect_model(architecture or metadata.architecture, classes, source)
    exported = OpenVINOModel(source, precision='f32')
    return Source(exported, source.name, metadata, megabytes(source), exported)


def _loaded(config: Config, checkpoint: str | Path, clips: ClipSource, path: Path) -> Source:
    recognizer, trained = load_student(config, checkpoint), read_checkpoint(checkpoint).get(CHECKPOINT_KEY)
    if trained is not None:
        choose_operators('torch')
        load_quantizers(recognizer, trained)
    model = DeployableRecognizer(recognizer)
    metadata = ExportMetadata.describe(
        model,
        np.stack(clips[:1]),
        class_names(config, model.num_classes),
        plain_student(config).test_dataloader.dataset.pipeline,
        batch=1,
        checkpoint_sha256=checkpoint_digest(checkpoint),
    )
    if trained is not None:
        return Source.trained(model, metadata)
    exported = OpenVINOModel(export_openvino(model, path, np.stack(clips[:1]), metadata))
    return Source(model, 'PyTorch', metadata, megabytes(path), exported)


def _quantize(
    source: Source, clips: ClipSource, validating: ClipSource, max_drop: float, preset: str
) -> tuple[Any, tuple[str, ...], tuple[float, float]]:
    """Return the model, the names of its layers in float, and top-1 before and after."""
    if source.exported is None:
        model, scores = convert_trained(source, np.stack(clips[:1]), validating, max_drop)
        return model, (), scores
    source.exported.check(np.stack(clips[:1]))
    labels = validating.labels
    labels = source.exported.predict(validating).argmax(axis=1) if labels is None else labels
    found = quantize_within(source.exported.model, clips, validating, top1(labels), max_drop, preset)
    return found.model, found.float_layers, (found.before, found.after)


if __name__ == '__main__':
    main()
