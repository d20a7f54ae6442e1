"""The command line of ``tools/export.py``: see :mod:`mmkd_video.workflows.deploy.export`."""

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.export import ParityReport, backend_of_format, export_backends, exported_suffixes
from mmkd_video.export.metadata import PRECISIONS
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.deploy.export import DEFAULT_FORMAT, export_student, export_target


def main(arguments: Sequence[str] | None = None) -> ParityReport | None:
    """Export as the command line says.

    Returns:
        What the parity check found; None without one.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    with exit_on_error(parser):
        with contextlib.suppress(ValueError):  # the config may import the backend
            export_target(output_path(options), options.format, options.force)
        config = read_config(options.config, options.cfg_options)
        report = export_student(
            config,
            options.checkpoint,
            output_path(options),
            format=options.format,
            precision=options.precision,
            dynamic_clips=options.dynamic_clips,
            batch=options.batch,
            stream=options.stream,
            num_clips=options.clips,
            shape=options.shape,
            check=not options.no_check,
            force=options.force,
        )
        print('not checked against PyTorch (--no-check)' if report is None else report)
    if report is not None and not report.passed:
        parser.exit(1, f'error: {report.failure}\n')
    return report


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('export'),
        description='Write a student as a file for another runtime, with normalisation, clip averaging and softmax '
        'inside; then compare the file with PyTorch on clips of the test data set. Exits with 1 where they differ.',
        epilog=EXITS,
    )
    parser.add_argument('config', help='of the student, or of its distillation')
    parser.add_argument('checkpoint', help='of the student')
    formats = ', '.join(each.format for each in export_backends().values())
    others = [(each, [name for name in each.precisions if name != 'f32']) for each in export_backends().values()]
    precisions = '; '.join(f'{" and ".join(names)} with {each.title} only' for each, names in others if names)
    parser.add_argument('--format', help=f"{formats}; by the suffix of --out, or '{DEFAULT_FORMAT}', by default")
    parser.add_argument(
        '--out', metavar='FILE', help=f'{" or ".join(exported_suffixes())}; beside the checkpoint by default'
    )
    parser.add_argument(
        '--batch',
        type=batch_size,
        default=1,
        metavar='N|dynamic',
        help='samples that the file computes at once (1); dynamic: any number; of small models, one then '
        'takes half as long again',
    )
    parser.add_argument(
        '--stream',
        action='store_true',
        help='take one frame at a time and keep states: for students that see nothing of later frames',
    )
    parser.add_argument('--dynamic-clips', action='store_true', help='let the number of clips of a sample vary')
    parser.add_argument(
        '--precision',
        choices=PRECISIONS,
        help=f'to run in; {precisions}. int8, the default there, for a student that was trained in it; quantize.py '
        'makes any student so',
    )
    parser.add_argument('--clips', type=int, default=16, metavar='N', help='clips to compare on (16)')
    parser.add_argument('--no-check', action='store_true', help='do not compare with PyTorch')
    parser.add_argument(
        '--shape', type=int, nargs='+', help='of one sample, M C H W or M C T H W, where the data set is not here'
    )
    parser.add_argument('--force', action='store_true', help='replace existing files')
    add_cfg_options(parser)
    return checked_options(parser)


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


def output_path(options: argparse.Namespace) -> Path:
    """Return the file to write; where none is named, it lies beside the checkpoint.

    Args:
        options: Options of :func:`build_parser`.

    Raises:
        ValueError: There is no such format.
    """
    if options.out:
        return Path(options.out)
    return Path(options.checkpoint).with_suffix(backend_of_format(options.format or DEFAULT_FORMAT).written[0])


if __name__ == '__main__':
    main()
