"""The code behind ``tools/stream.py``: an exported model on a file, a folder, a camera or a network stream."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import cv2

from mmkd_video.cli.arguments import checked_numbers
from mmkd_video.cli.interrupts import Interrupts
from mmkd_video.cli.mistakes import BROKEN_PIPE, exit_on_error
from mmkd_video.cli.stream_folder import FolderOfVideos
from mmkd_video.core.checked import Text
from mmkd_video.core.files.json_lines import JsonLines
from mmkd_video.core.files.new import expect_new
from mmkd_video.export import load_exported
from mmkd_video.serving import (
    AnnotatedVideo,
    InferenceEngine,
    OpenCVSource,
    PacedSource,
    Stream,
    StreamOptions,
    VideoSource,
    build_engine,
)
from mmkd_video.serving.stream_options import POLICIES
from mmkd_video.workflows.stream.status_line import StatusLine

LOST = 3
SOURCE = Text('a video, a folder of videos, a camera or an address')
MODEL = Text('the path of an exported model')
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
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is flushed into the pipe at exit
            return BROKEN_PIPE
        except KeyboardInterrupt:
            return Interrupts.EXIT


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='stream.py',
        description='Classify a video while it is read: one line of JSON a window; decoding and inference overlap.',
        epilog=EXITS,
    )
    parser.add_argument('source', help='a video, a folder of videos, a camera (0, /dev/video0) or an address (rtsp://)')
    parser.add_argument('--model', required=True, help='of tools/export.py or tools/quantize.py: .xml or .onnx')
    windows = parser.add_argument_group('windows')
    windows.add_argument('--hop', type=int, help='pictures from window to window; half a window by default')
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
    windows.add_argument('--topk', type=int, default=3, help='classes in a line')
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
    running.add_argument('--requests', type=int, default=2, help='windows in the model at once')
    running.add_argument('--realtime', action='store_true', help='read a file no faster than it was recorded')
    running.add_argument('--reconnect', type=int, default=5, help='tries, before a lost camera is given up')
    running.add_argument('--pause', type=float, default=1.0, help='seconds before each')
    running.add_argument('--backend', choices=('openvino', 'onnxruntime'), help="by the model's name by default")
    running.add_argument('--threads', type=int, help="of the model; the runtime's choice by default")
    running.add_argument(
        '--decoder-threads', type=int, default=1, help='of the decoder; with each, a picture comes later'
    )
    running.add_argument('--precision', choices=('f32', 'bf16', 'int8'), help='what the model says by default')
    return checked_numbers(parser)


def _run(options: argparse.Namespace) -> int:
    SOURCE.check('source', options.source)
    MODEL.check('--model', options.model)
    how = stream_options(options)
    if options.topk < 1:
        raise ValueError(f'--topk: got {options.topk}, expected at least 1')
    batch = Path(options.source).is_dir()
    source = None if batch else _source(options)
    if not batch:
        _expect_new(options)
    model = load_exported(options.model, options.backend, options.threads, options.precision, batch=1)
    with closing(build_engine(model, options.requests)) as engine:
        if batch:
            return FolderOfVideos(options, engine, how).run()
        return _stream_one(options, source, engine, how)


def stream_options(options: argparse.Namespace) -> StreamOptions:
    """Return how to stream.

    Args:
        options: Of :func:`build_parser`.

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


def _source(options: argparse.Namespace) -> VideoSource:
    source = OpenCVSource(options.source, options.decoder_threads)
    return PacedSource(source) if options.realtime else source


def _expect_new(options: argparse.Namespace) -> None:
    for name in ('out', 'annotate'):
        expect_new(f'--{name}', getattr(options, name), options.force)


def _stream_one(options: argparse.Namespace, source: VideoSource, engine: InferenceEngine, how: StreamOptions) -> int:
    classes = engine.model.metadata.classes
    video = AnnotatedVideo(options.annotate, classes) if options.annotate else None
    stream = Stream(source, engine, how, video.watch if video else None)
    if video is not None:
        video.fps = source.fps or video.fps
    warned = False
    with Interrupts() as interrupts, JsonLines(options.out) as lines, StatusLine() as status:
        interrupts.stop = stream.stop
        try:
            for prediction in stream:
                if not options.out:
                    status.clear()  # both may be the same terminal
                if stream.preparer.warning and not warned:
                    print(f'warning: {source.name}: {stream.preparer.warning}', file=sys.stderr)
                    warned = True
                lines.write(prediction.as_dict(classes, options.topk))
                name, score = prediction.top(classes, 1)[0]
                status.show(f'{name} {score:.0%} | {stream.statistics.short()}')
                if video is not None:
                    video.label(prediction)
        finally:
            if video is not None:
                video.close()
    print(stream.statistics, file=sys.stderr)
    if stream.preparer.repeats > 1:
        print(
            f'{options.model} takes {stream.preparer.repeats} clips at once and got the same one each time; exported '
            'for one clip, or with --dynamic-clips, it would be as many times as fast',
            file=sys.stderr,
        )
    if interrupts.happened:
        return interrupts.exit_code
    if stream.statistics.lost:
        print(f'{source.name} was lost and did not come back', file=sys.stderr)
        return LOST
    return 0


def _quieten_opencv() -> None:
    # Damaged packets are counted and told at the end; FFmpeg would write a line about each.
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


if __name__ == '__main__':
    sys.exit(main())
