"""The code behind ``tools/export.py``: a trained student becomes a file that runs without PyTorch."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.cli.arguments import checked_numbers
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.files.placed import expect_new, on_trial, settle
from mmkd_video.export import (
    DeployableRecognizer,
    ExportMetadata,
    ParityReport,
    check_parity,
    export_onnx,
    export_openvino,
    load_exported,
)
from mmkd_video.quantization import CHECKPOINT_KEY, choose_operators, load_quantizers
from mmkd_video.recognizers.class_names import class_names
from mmkd_video.recognizers.clip_shape import expect_shape
from mmkd_video.recognizers.clip_source import unaugmented_clips
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.real_clips import RealClips, real_clips
from mmkd_video.workflows.deploy.quantized_student import (
    VALIDATION,
    Source,
    best_kept,
    convert_trained,
    write_quantized,
)
from mmkd_video.workflows.deploy.student import checkpoint_digest, load_student, read_checkpoint

SUFFIXES = {'onnx': ('.onnx',), 'openvino': ('.xml', '.bin')}


def main(arguments: Sequence[str] | None = None) -> ParityReport | None:
    """Export as the command line says.

    Returns:
        What the parity check found; None without one.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    with exit_on_error(parser):
        path = _target(options)
        config = read_config(options.config, options.cfg_options)
        report = export_student(
            config,
            options.checkpoint,
            path,
            precision=options.precision,
            dynamic_clips=options.dynamic_clips,
            batch=options.batch,
            num_clips=options.clips,
            shape=options.shape,
            check=not options.no_check,
            force=options.force,
        )
    if report is None:
        print('not checked against PyTorch (--no-check)')
        return None
    print(report)
    if not report.passed:
        parser.exit(
            1, f'error: {report.path} does not say what the model says, worst on {report.worst}; it is kept as it is\n'
        )
    return report


def export_student(
    config: Config,
    checkpoint: str | Path,
    path: Path,
    precision: str | None = None,
    dynamic_clips: bool = False,
    batch: int | None = 1,
    num_clips: int = 16,
    shape: Sequence[int] | None = None,
    check: bool = True,
    force: bool = False,
) -> ParityReport | None:
    """Write the student of a config as a file, and compare it with PyTorch on real clips.

    Args:
        config: Of the student, of its distillation, or of a pruned model.
        checkpoint: Of the student.
        path: ``.onnx`` or ``.xml``.
        precision: In which the file is meant to run: ``'f32'``, or with OpenVINO ``'bf16'``, or ``'int8'`` with the
            ranges of a student that ``QATHook`` trained. By default int8 for such a student with OpenVINO, else f32.
        dynamic_clips: Whether the number of clips may vary.
        batch: Samples that the file computes at once; None for any number, which runtimes compute more slowly.
        num_clips: Of the test data set, to compare on.
        shape: Of one sample, where the data set is not here; only without ``check``.
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
        RuntimeError: The model cannot be exported, or OpenVINO cannot run it in int8.
    """
    if shape is not None:
        if check:
            raise ValueError('--shape is for a machine without the data set: nothing can be compared; add --no-check')
        expect_shape(shape, _pipeline(config), dynamic_clips)
    kind = 'onnx' if path.suffix == '.onnx' else 'openvino'
    expect_new(path, SUFFIXES[kind], force)
    quantizers = read_checkpoint(checkpoint).get(CHECKPOINT_KEY)
    precision = _precision(precision, kind, quantizers is not None, dynamic_clips)
    recognizer = load_student(config, checkpoint)
    if precision == 'int8':
        choose_operators('torch')
        load_quantizers(recognizer, quantizers)
    elif quantizers is not None:
        print('note: this student was trained in int8; this file computes in float')
    model = DeployableRecognizer(recognizer)
    found = real_clips(config, max(num_clips, 2)) if shape is None else _blank_clip(config, shape)
    metadata = ExportMetadata.describe(
        model,
        np.stack(found.clips[:1]),
        class_names(config, model.num_classes),
        found.pipeline,
        dynamic_clips=dynamic_clips,
        batch=batch,
        precision=precision,
        checkpoint_sha256=checkpoint_digest(checkpoint),
    )
    if precision == 'int8':
        return _write_int8(config, Source.trained(model, metadata), path, found, check)
    with on_trial(path, SUFFIXES[kind]) as written:
        write = export_onnx if kind == 'onnx' else export_openvino
        write(model, written, np.stack(found.clips[:1]), metadata, dynamic_clips=dynamic_clips)
        report = check_parity(model, load_exported(written), found.clips, found.names) if check else None
        path = settle(written, path, SUFFIXES[kind], report is None or report.passed)
    for suffix in SUFFIXES[kind]:
        print(f'wrote {path.with_suffix(suffix)} ({path.with_suffix(suffix).stat().st_size / 1e6:.2f} MB)')
    return None if report is None else dataclasses.replace(report, path=str(path))


def _write_int8(config: Config, source: Source, path: Path, found: RealClips, check: bool) -> ParityReport | None:
    validating = unaugmented_clips(config, VALIDATION, 'val_dataloader') if check else None
    with best_kept(source, path):
        model, scores = convert_trained(source, np.stack(found.clips[:1]), validating)
    written = write_quantized(source, model, path, found if check else None, scores=scores)
    print(written.summary)
    return written.report


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='export.py',
        description='Write a student as ONNX or OpenVINO, with normalisation, clip averaging and softmax inside; then '
        'compare the file with PyTorch on clips of the test data set. Exits with 1 where they differ.',
        epilog=EXITS,
    )
    parser.add_argument('config', help='of the student, or of its distillation')
    parser.add_argument('checkpoint', help='of the student')
    parser.add_argument('--format', choices=list(SUFFIXES), help="by the suffix of --out, or 'onnx', by default")
    parser.add_argument('--out', metavar='FILE', help='.onnx or .xml; beside the checkpoint by default')
    parser.add_argument(
        '--batch',
        type=batch_size,
        default=1,
        metavar='N|dynamic',
        help='samples that the file computes at once (1); dynamic: any number; of small models, one then '
        'takes half as long again',
    )
    parser.add_argument('--dynamic-clips', action='store_true', help='let the number of clips of a sample vary')
    parser.add_argument(
        '--precision',
        choices=['f32', 'bf16', 'int8'],
        help='to run in; bf16 and int8 with OpenVINO only. int8, the default there, for a student that was trained in '
        'it; quantize.py makes any student so',
    )
    parser.add_argument('--clips', type=int, default=16, metavar='N', help='clips to compare on (16)')
    parser.add_argument('--no-check', action='store_true', help='do not compare with PyTorch')
    parser.add_argument(
        '--shape', type=int, nargs='+', help='of one sample, M C H W or M C T H W, where the data set is not here'
    )
    parser.add_argument('--force', action='store_true', help='replace existing files')
    add_cfg_options(parser)
    return checked_numbers(parser)


def batch_size(text: str) -> int | None:
    """Read ``--batch``.

    Raises:
        argparse.ArgumentTypeError: It is neither a number of at least 1 nor ``'dynamic'``.
    """
    if text == 'dynamic':
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number of at least 1, or 'dynamic'")
    return int(text)


def _target(options: argparse.Namespace) -> Path:
    given = Path(options.out) if options.out else None
    kind = options.format or ('openvino' if given is not None and given.suffix == '.xml' else 'onnx')
    path = given or Path(options.checkpoint).with_suffix(SUFFIXES[kind][0])
    return expect_new(path, SUFFIXES[kind], options.force)


def _precision(asked: str | None, kind: str, trained_in_int8: bool, dynamic_clips: bool) -> str:
    if asked == 'bf16' and kind == 'onnx':
        raise ValueError('--precision bf16: ONNX Runtime computes no bf16 on a CPU; use --format openvino')
    if asked == 'int8' and not trained_in_int8:
        raise ValueError('--precision int8: this student was not trained in int8; tools/quantize.py calibrates it')
    if asked == 'int8' and kind == 'onnx':
        raise ValueError('--precision int8: int8 is written for OpenVINO only; use --format openvino')
    if asked is None:
        asked = 'int8' if trained_in_int8 and kind == 'openvino' else 'f32'
    if asked == 'int8' and dynamic_clips:
        raise ValueError('--dynamic-clips: the number of clips is fixed in int8; leave it out, or add --precision f32')
    return asked


def _blank_clip(config: Config, shape: Sequence[int]) -> RealClips:
    return RealClips((np.zeros(shape, np.uint8),), ('',), (-1,), _pipeline(config))


def _pipeline(config: Config) -> tuple[dict, ...]:
    steps = ((config.get('test_dataloader') or {}).get('dataset') or {}).get('pipeline') or ()
    return tuple(dict(step) for step in steps)


if __name__ == '__main__':
    main()
