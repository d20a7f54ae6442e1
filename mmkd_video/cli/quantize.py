"""The code behind ``tools/quantize.py``: a trained student becomes a file that runs in int8."""

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from mmengine.config import Config

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.cli.cfg_options import add_cfg_options, read_config
from mmkd_video.cli.class_names import class_names
from mmkd_video.cli.clip_source import ClipSource, unaugmented_clips
from mmkd_video.cli.plain_student import plain_student
from mmkd_video.cli.real_clips import RealClips, real_clips
from mmkd_video.cli.student import checkpoint_digest, load_student, model_parts, read_checkpoint
from mmkd_video.export import (
    PARITY_BOUNDS,
    DeployableRecognizer,
    ExportMetadata,
    OpenVINOModel,
    ParityReport,
    export_openvino,
    save_openvino,
)
from mmkd_video.export.parity import compare
from mmkd_video.export.placed_files import expect_new, on_trial, settle
from mmkd_video.quantization import (
    CHECKPOINT_KEY,
    ConvolutionCount,
    QuantizationResult,
    choose_operators,
    convert_quantized,
    count_convolutions,
    load_quantizers,
    quantize_within,
)
from mmkd_video.quantization.nncf_library import PRESETS, import_nncf
from mmkd_video.quantization.sensitivity import run

SUFFIXES = ('.xml', '.bin')
ERRORS = (OSError, KeyError, ValueError, TypeError, RuntimeError, ImportError)


@dataclasses.dataclass(frozen=True)
class QuantizedStudent:
    """An int8 file and what is known about it.

    Args:
        path: Of the ``.xml``.
        report: What the parity check found; None without one.
        convolutions: How many of them run in int8.
        float_layers: Names of the layers left in float so that the accuracy holds.
        before: Top-1 of the model it was made from, on the validation clips, 0 to 1.
        after: Top-1 of the file.
        megabytes: Size of the float files and of the int8 files.
    """

    path: Path
    report: ParityReport | None
    convolutions: ConvolutionCount
    float_layers: tuple[str, ...]
    before: float
    after: float
    megabytes: tuple[float, float]

    def __str__(self) -> str:
        rows = [
            f'wrote {self.path} ({self.megabytes[1]:.2f} MB; in float {self.megabytes[0]:.2f} MB)',
            str(self.convolutions),
            f'top-1 on validation clips {self.before:.2%} before, {self.after:.2%} in int8',
        ]
        if self.float_layers:
            rows.append(f'left in float for it: {", ".join(self.float_layers)}')
        check = 'not compared with the float model (--no-check)' if self.report is None else str(self.report)
        return '\n'.join([*rows, check])


def main(arguments: Sequence[str] | None = None) -> QuantizedStudent:
    """Quantize as the command line says."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
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
    except ERRORS as error:
        parser.exit(1, f'error: {error.args[0] if isinstance(error, KeyError) else error}\n')
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
    validation: int = 300,
    max_drop: float = 0.01,
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
        ValueError: Source, config, data or arguments do not go together, or ``max_drop`` cannot be reached.
        MissingExtraError: A package is missing.
        RuntimeError: The model cannot be exported or quantized.
    """
    path = _target(path, force)
    import_nncf()
    clips = unaugmented_clips(config, calibration, 'train_dataloader')
    validating = unaugmented_clips(config, validation, 'val_dataloader')
    with TemporaryDirectory() as folder:
        if Path(source).suffix == '.xml':
            start = _exported(config, Path(source))
        else:
            start = _loaded(config, source, clips, Path(folder) / 'float.xml')
        result = _quantize(start, clips, validating, max_drop, preset)
        with on_trial(path, SUFFIXES) as written:
            save_openvino(result.model, written, dataclasses.replace(start.metadata, precision='int8'))
            found = _describe(result, start, written, real_clips(config, max(num_clips, 2)) if check else None)
            return _settled(found, path)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='quantize.py',
        description='Write a student as OpenVINO in int8: calibrate on training clips, leave the most sensitive layers '
        'in float until the accuracy holds, and compare the file with the float model on clips of the test data set. '
        'Exits with 1 where they differ.',
    )
    parser.add_argument('config', help='of the student, or of its distillation')
    parser.add_argument('source', metavar='checkpoint|model.xml', help='of the student, or exported in float')
    parser.add_argument('--out', metavar='FILE', help='.xml; beside the source by default')
    parser.add_argument('--calibration', type=int, default=300, metavar='N', help='training clips to calibrate (300)')
    parser.add_argument('--validation', type=int, default=300, metavar='N', help='clips to measure accuracy on (300)')
    parser.add_argument('--max-drop', type=float, default=0.01, metavar='X', help='top-1 that may be lost (0.01)')
    parser.add_argument('--preset', choices=PRESETS, default='mixed', help='mixed: asymmetric activations; the default')
    parser.add_argument('--clips', type=int, default=16, metavar='N', help='test clips to compare on (16)')
    parser.add_argument('--no-check', action='store_true', help='do not compare with the float model')
    parser.add_argument('--force', action='store_true', help='replace existing files')
    add_cfg_options(parser)
    return parser


def _target(path: str | Path, force: bool) -> Path:
    if Path(path).suffix == '.onnx':
        raise ValueError(
            f'--out {path}: int8 is written for OpenVINO only, as .xml; ONNX Runtime gains nothing from int8 where '
            'convolutions are 3-D'
        )
    return expect_new(path, SUFFIXES, force)


@dataclasses.dataclass(frozen=True)
class _Start:
    """What is to be quantized: ``reference`` tells the probabilities that the file is to give."""

    reference: DeployableRecognizer | OpenVINOModel
    name: str
    metadata: ExportMetadata
    megabytes: float
    exported: OpenVINOModel | None  # None where the quantizers were trained


def _exported(config: Config, source: Path) -> _Start:
    metadata = OpenVINOModel(source).metadata
    if metadata.precision == 'int8':
        raise ValueError(f'{source} is quantized already; give the float file it was made from')
    architecture, classes = model_parts(plain_student(config).model)
    if classes is not None:
        metadata.expect_model(architecture or metadata.architecture, classes, source)
    exported = OpenVINOModel(source, precision='f32')
    return _Start(exported, source.name, metadata, _megabytes(source), exported)


def _loaded(config: Config, checkpoint: str | Path, clips: ClipSource, path: Path) -> _Start:
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
        checkpoint_sha256=checkpoint_digest(checkpoint),
    )
    if trained is not None:
        size = sum(tensor.nbytes for tensor in recognizer.state_dict().values()) / 1e6
        return _Start(model, 'PyTorch', metadata, size, None)
    exported = OpenVINOModel(export_openvino(model, path, np.stack(clips[:1]), metadata))
    return _Start(model, 'PyTorch', metadata, _megabytes(path), exported)


def _quantize(
    start: _Start, clips: ClipSource, validating: ClipSource, max_drop: float, preset: str
) -> QuantizationResult:
    labels = validating.labels
    if start.exported is not None:
        start.exported.check(np.stack(clips[:1]))
        labels = start.exported.predict(validating).argmax(axis=1) if labels is None else labels
        score = _top1(labels)
        return quantize_within(start.exported.model, clips, validating, score, max_drop, preset)
    expected, model = start.reference.predict(validating), convert_quantized(start.reference, np.stack(clips[:1]))
    score = _top1(expected.argmax(axis=1) if labels is None else labels)
    before, after = score(expected), score(run(model, validating))
    if before - after > max_drop:
        raise ValueError(
            f'max_drop={max_drop}: the file loses {before - after:.2%} of top-1 beside the checkpoint, and its layers '
            'stay in int8 as they were trained; allow more, or quantize weights trained in float'
        )
    return QuantizationResult(model, (), before, after, after)


def _top1(labels: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda found: float((found.argmax(axis=1) == labels).mean())


def _describe(result: QuantizationResult, start: _Start, path: Path, found: RealClips | None) -> QuantizedStudent:
    written, report = OpenVINOModel(path), None
    if found is not None:
        expected, answers = start.reference.predict(found.clips), written.predict(found.clips)
        report = compare(expected, answers, written, found.names, PARITY_BOUNDS[written.precision], start.name)
    return QuantizedStudent(
        path=path,
        report=report,
        convolutions=count_convolutions(written.compiled),
        float_layers=result.float_layers,
        before=result.before,
        after=result.after,
        megabytes=(start.megabytes, _megabytes(path)),
    )


def _settled(found: QuantizedStudent, path: Path) -> QuantizedStudent:
    report = found.report
    path = settle(found.path, path, SUFFIXES, report is None or report.passed)
    report = report if report is None else dataclasses.replace(report, path=str(path))
    return dataclasses.replace(found, path=path, report=report)


def _megabytes(path: Path) -> float:
    return sum(path.with_suffix(suffix).stat().st_size for suffix in SUFFIXES) / 1e6


if __name__ == '__main__':
    main()
