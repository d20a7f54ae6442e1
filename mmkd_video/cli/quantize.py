"""The command line of ``tools/quantize.py``: see :mod:`mmkd_video.workflows.deploy.quantize`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.command_line import program_of
from mmkd_video.export import backend_of_file, int8_backends
from mmkd_video.quantization.nncf_library import PRESETS
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.deploy.quantize import quantize_student
from mmkd_video.workflows.deploy.quantized_student import MAX_DROP, VALIDATION, QuantizedStudent


def main(arguments: Sequence[str] | None = None) -> QuantizedStudent:
    """Quantize as the command line says."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    with exit_on_error(parser):
        config = read_config(options.config, options.cfg_options)
        found = quantize_student(
            config,
            options.source,
            options.out or default_out(Path(options.source)),
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
        parser.exit(1, f'error: {found.report.failure}\n')
    return found


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    titles = ' or '.join(each.title for each in int8_backends())
    suffixes = [each.written[0] for each in int8_backends()]
    parser = argparse.ArgumentParser(
        prog=program_of('quantize'),
        description=f'Write a student in int8, for {titles}: calibrate on training clips, leave the most sensitive '
        'layers in float until the accuracy holds, and compare the file with the float model on clips of the test data '
        'set. Exits with 1 where they differ.',
        epilog=EXITS,
    )
    parser.add_argument('config', help='of the student, or of its distillation')
    sources = '|'.join(['checkpoint', *(f'model{each}' for each in suffixes)])
    parser.add_argument('source', metavar=sources, help='of the student, or exported in float')
    parser.add_argument('--out', metavar='FILE', help=f'{" or ".join(suffixes)}; beside the source by default')
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
    return checked_options(parser)


def default_out(source: Path) -> Path:
    """Return the file to write where none is named, beside the source.

    Args:
        source: Checkpoint, or exported file.
    """
    able, found = int8_backends(), backend_of_file(source)
    backend = found if found in able else able[0]
    return source.with_name(f'{source.stem}_int8{backend.written[0]}')


if __name__ == '__main__':
    main()
