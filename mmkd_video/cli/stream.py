"""The code behind ``tools/stream.py``: an exported model on a file, a folder, a camera or a network stream."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2

from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.custom_imports import add_custom_imports, import_modules
from mmkd_video.cli.mistakes import INTERRUPTED, exit_on_error
from mmkd_video.core.checked import Text
from mmkd_video.core.command_line import program_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.export import export_backends, exported_suffixes
from mmkd_video.export.metadata import PRECISIONS
from mmkd_video.serving import StreamOptions
from mmkd_video.serving.stream_options import POLICIES
from mmkd_video.workflows.stream.calibrating import FALSE_ALARMS, WINDOWS, calibrate_watch
from mmkd_video.workflows.stream.folder import stream_folder
from mmkd_video.workflows.stream.run import REQUESTS, TOPK, ModelSettings, stream_video

LOST = 3
SOURCE_PATH = Text('a video, a folder of videos, a camera or an address')
MODEL_PATH = Text('the path of an exported model')
EXITS = (
    'exit codes: 0 the end was reached; 1 an error, also of one video of a folder; 2 wrong arguments; 3 the source was '
    'lost for good; 130 ctrl-C; 143 SIGTERM. Whatever happens, the windows that were finished are written.'
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Stream as the command line says.

    Returns:
        The exit code.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    _quieten_opencv()
    with exit_on_error(parser):
        try:
            return _run(options)
        except KeyboardInterrupt:
            return INTERRUPTED


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('stream'),
        description='Classify a video while it is read: one line of JSON a window; decoding and inference overlap.',
        epilog=EXITS,
    )
    parser.add_argument('source', help='a video, a folder of videos, a camera (0, /dev/video0) or an address (rtsp://)')
    parser.add_argument(
        '--model', required=True, help=f'of tools/export.py or tools/quantize.py: {" or ".join(exported_suffixes())}'
    )
    windows = parser.add_argument_group('windows')
    windows.add_argument(
        '--hop',
        type=int,
        help='pictures from window to window, half a window by default; from prediction to prediction of a model that '
        'takes one frame at a time, each frame by default',
    )
    windows.add_argument(
        '--interval',
        type=int,
        help="pictures between a window's frames; the model's by default; two seconds in all where it has none",
    )
    windows.add_argument(
        '--smooth', type=float, default=0.0, metavar='PAST', help='weight of earlier windows: 0 (none) to below 1'
    )
    windows.add_argument(
        '--fit', action='store_true', help='resize pictures first such that the model sees most of them'
    )
    windows.add_argument('--topk', type=int, default=TOPK, help='classes in a line')
    output = parser.add_argument_group('output')
    output.add_argument(
        '--out',
        help='a file for the lines, the terminal by default; for a folder of videos a folder, '
        'work_dirs/stream/NAME by default, in which a second run goes on',
    )
    output.add_argument('--annotate', metavar='OUT.mp4', help='write the video with labels')
    output.add_argument('--force', action='store_true', help='overwrite what exists; for a folder, begin again')
    running = parser.add_argument_group('running')
    running.add_argument('--drop', choices=POLICIES, help='windows that are too many; none for files, else oldest')
    running.add_argument('--queue', type=int, default=4, help='windows that may wait before one is dropped')
    running.add_argument('--requests', type=int, default=REQUESTS, help='windows in the model at once')
    running.add_argument('--realtime', action='store_true', help='read a file no faster than it was recorded')
    running.add_argument('--reconnect', type=int, default=5, help='tries, before a lost camera is given up')
    running.add_argument('--pause', type=float, default=1.0, help='seconds before each')
    running.add_argument(
        '--backend', metavar='RUNTIME', help=f"{', '.join(export_backends())}; by the model's name by default"
    )
    running.add_argument('--threads', type=int, help="of the model; the runtime's choice by default")
    running.add_argument(
        '--decoder-threads', type=int, default=1, help='of the decoder; with each, a picture comes later'
    )
    running.add_argument('--precision', choices=PRECISIONS, help='what the model says by default')
    watching = parser.add_argument_group('watching')
    watching.add_argument('--watch', metavar='FILE', help='write a line where scores drift from what this file expects')
    watching.add_argument('--calibrate', metavar='FILE', help='write that file from a folder of ordinary videos')
    watching.add_argument(
        '--watch-windows', type=int, default=WINDOWS, help=f'windows that are judged together; {WINDOWS}'
    )
    watching.add_argument(
        '--false-alarms',
        type=float,
        default=FALSE_ALARMS,
        help=f'share of such blocks of ordinary video that may count as drift; {FALSE_ALARMS:g}',
    )
    add_custom_imports(parser)
    return checked_options(parser)


def _run(options: argparse.Namespace) -> int:
    SOURCE_PATH.check('source', options.source)
    MODEL_PATH.check('--model', options.model)
    import_modules(options.custom_imports)
    how = stream_options(options)
    model = ModelSettings(options.model, options.backend, options.threads, options.precision, options.requests)
    if options.calibrate is not None:
        return _calibrate(options, model, how)
    if Path(options.source).is_dir():
        return _stream_folder(options, model, how)
    end = stream_video(
        options.source,
        model,
        how,
        out=options.out,
        annotate=options.annotate,
        force=options.force,
        topk=options.topk,
        realtime=options.realtime,
        decoder_threads=options.decoder_threads,
        watch=options.watch,
    )
    print(end.statistics, file=sys.stderr)
    if end.clips > 1:
        print(
            f'{options.model} takes {end.clips} clips at once and got the same one each time; exported for one clip, '
            'or with --dynamic-clips, it would be as many times as fast',
            file=sys.stderr,
        )
    if end.lost:
        print(f'{end.source} was lost and did not come back', file=sys.stderr)
        return LOST
    return _exit_code(end.signal)


def _stream_folder(options: argparse.Namespace, model: ModelSettings, how: StreamOptions) -> int:
    for name in ('annotate', 'realtime', 'watch'):
        if getattr(options, name):
            raise WrongValueError(f'--{name} is for one video, but {options.source} is a folder')
    end = stream_folder(
        options.source,
        model,
        how,
        out=options.out,
        force=options.force,
        topk=options.topk,
        decoder_threads=options.decoder_threads,
    )
    print(end, file=sys.stderr)
    return _exit_code(end.signal) or int(end.failed > 0)


def _calibrate(options: argparse.Namespace, model: ModelSettings, how: StreamOptions) -> int:
    for name in ('annotate', 'out', 'realtime', 'watch'):
        if getattr(options, name):
            raise WrongValueError(f'--{name} is for a stream, but --calibrate writes what streams are compared with')
    found = calibrate_watch(
        options.source,
        model,
        how,
        options.calibrate,
        windows=options.watch_windows,
        false_alarms=options.false_alarms,
        force=options.force,
        decoder_threads=options.decoder_threads,
    )
    limits = ', '.join(f'{name} {limit:.3g}' for name, limit in found.limits.items())
    print(
        f'{options.calibrate}: {found.videos} videos, mean confidence {found.expected.confidence:.1%}; drift is, in '
        f'{found.windows} windows, more than {limits}',
        file=sys.stderr,
    )
    return 0


def _exit_code(signal: int | None) -> int:
    """Return the exit code that shells expect after a signal."""
    return 0 if signal is None else 128 + signal


def stream_options(options: argparse.Namespace) -> StreamOptions:
    """Return how to stream.

    Args:
        options: Options of the parser of :func:`build_parser`.

    Raises:
        ValueError: A number is out of range.
    """
    drop = options.drop or ('oldest' if options.realtime else None)
    return StreamOptions(
        options.hop,
        options.interval,
        options.smooth,
        drop,
        options.queue,
        options.reconnect,
        options.pause,
        options.fit,
    )


def _quieten_opencv() -> None:
    # Damaged packets are counted and told at the end; FFmpeg would write a line about each.
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


if __name__ == '__main__':
    sys.exit(main())
