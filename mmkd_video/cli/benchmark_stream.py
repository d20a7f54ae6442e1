"""The code behind ``tools/benchmark.py stream``: does a stream run as fast as the slower of its two stages alone?"""

import argparse
import os
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

import mmkd_video
from mmkd_video.benchmark import (
    LoadWatch,
    Report,
    Rounds,
    Row,
    Timings,
    measure_interleaved,
    median_interval,
    paired_ratios,
)
from mmkd_video.cli.benchmark_outputs import add_outputs
from mmkd_video.cli.benchmark_rounds import FEWEST, add_max_rounds, measured_facts, most_rounds
from mmkd_video.export import export_backends, load_exported
from mmkd_video.serving import (
    FramePreparer,
    FrameReader,
    InferenceEngine,
    OpenCVSource,
    SlidingWindow,
    Stream,
    StreamOptions,
    StreamStatistics,
    Submitter,
    build_engine,
)

DECODE, INFER, STREAM = 'decoding and preparing alone', 'inference alone', 'stream'
APART = 'both at once, apart'
TARGET = 1 / 0.9  # of the slower stage's time
SIZE, FPS = (320, 240), 25
HOPS = (2, 8, 32)
MOST = 100  # rounds; one takes several seconds
CLIPS = 8  # different inputs of the inference alone


def add_stream(kinds: argparse._SubParsersAction) -> None:
    """Add ``stream`` to the parser of ``tools/benchmark.py``."""
    parser = kinds.add_parser(
        'stream',
        help='throughput of tools/stream.py beside its two stages alone',
        description='Measure a stream, its decoder alone and its model alone, interleaved.',
    )
    parser.set_defaults(measure=benchmark_stream)
    parser.add_argument('--model', required=True, help='of tools/export.py or tools/quantize.py: .xml or .onnx')
    parser.add_argument('--video', help=f'by default one of {SIZE[0]} x {SIZE[1]} pixels is made')
    parser.add_argument('--frames', type=int, default=3000, help='of the video that is made')
    parser.add_argument('--hop', type=int, nargs='+', default=HOPS, help='pictures from window to window')
    parser.add_argument('--rounds', type=int, default=FEWEST, help='each measures everything once')
    add_max_rounds(parser, MOST)
    parser.add_argument('--warmup', type=int, default=2, help='rounds before that')
    parser.add_argument('--requests', type=int, default=2, help='windows in the model at once')
    parser.add_argument('--threads', type=int, default=1, help='of the model')
    parser.add_argument('--decoder-threads', type=int, default=1, help='of the decoder')
    parser.add_argument('--backend', choices=list(export_backends()), help="by the model's name by default")
    parser.add_argument('--precision', choices=('f32', 'bf16', 'int8'), help='what the model says by default')
    add_outputs(parser, 'stream')


def benchmark_stream(options: argparse.Namespace, clips: str | None = None) -> Report:
    """Measure a stream and its stages.

    Args:
        options: Of :func:`add_stream`.
        clips: Not used; a stream needs a longer video.

    Raises:
        ValueError: A number is out of range, or a file is not what it should be.
        FileNotFoundError: A file is not there.
        MissingExtraError: A runtime is not installed.
    """
    model = load_exported(options.model, options.backend, options.threads, options.precision, batch=1)
    with closing(build_engine(model, options.requests)) as engine, _video(options) as video:
        report, measured, watch = Report(f'{Path(options.model).name} on a video'), {}, LoadWatch()
        for hop in options.hop:
            stages = Stages(engine, partial(OpenCVSource, video, options.decoder_threads), hop)
            variants = {DECODE: stages.decode, INFER: stages.infer, APART: stages.apart, STREAM: stages.stream}
            enough = partial(_settled, stages.windows, hop)
            rounds = Rounds(options.rounds, most_rounds(options, options.rounds), options.warmup, enough=enough)
            timings = measure_interleaved(variants, rounds, watch, progress=partial(_show, hop))
            measured |= {f'{hop} {name}': each for name, each in timings.items()}
            report.rows += stream_rows(timings, stages.windows, hop)
            seconds = {name: vars(each) for name, each in timings.items()}
            report.raw[f'hop {hop}'] = dict(windows=stages.windows, seconds=seconds)
        report.facts = measured_facts(measured, watch) | _facts(options, engine, stages)
    return report


def stream_rows(timings: dict[str, Timings], windows: int, hop: int) -> list[Row]:
    """Return the throughput of everything, and the stream in terms of its stages, round by round.

    Its time is told in that of the slower stage, and in that of both stages at once that have nothing to do with each
    other: the first says how fast it is, the second what is lost by handing over; the rest is the machine's, whose
    cores share caches and memory. Its CPU time is told in that of both: nothing is done twice.

    Args:
        timings: By variant; wall times beside other load are left out.
        windows: In the video.
        hop: Pictures from window to window.
    """
    rows, void = [], any(each.disturbed for each in timings.values())
    for name, each in timings.items():
        interval = None if void else median_interval([windows / value for value in each.wall])
        rows.append(Row.of(f'hop {hop}: windows per second, {name}', 'count', interval))
    decode, infer, stream = (timings[name] for name in (DECODE, INFER, STREAM))
    slower = [max(pair) for pair in zip(decode.wall, infer.wall, strict=True)]
    for name, others, target in (('slower stage alone', slower, TARGET), (APART, timings[APART].wall, None)):
        interval = None if void else median_interval(paired_ratios(stream.wall, others))
        rows.append(Row.of(f'hop {hop}: time of the stream / {name}', 'ratio', interval, target))
    interval = median_interval(paired_ratios(stream.cpu, decode.cpu, infer.cpu))
    rows.append(Row.of(f'hop {hop}: CPU time of the stream / both stages', 'ratio', interval))
    return rows


def _settled(windows: int, hop: int, timings: dict[str, Timings]) -> bool:
    return all(row.settled for row in stream_rows(timings, windows, hop))


class Stages:
    """The stages of a stream, each to be run alone, and the stream.

    Args:
        engine: The model.
        source: Makes a source of the video.
        hop: Pictures from window to window.

    Attributes:
        windows: In the video.
        pictures: In the video.
    """

    def __init__(self, engine: InferenceEngine, source: Callable[[], OpenCVSource], hop: int) -> None:
        self.engine, self.source = engine, source
        self.options = StreamOptions(hop=hop)
        first = Stream(source(), engine, self.options)
        self.windows = len(list(first))
        self.pictures = first.statistics.frames
        self.offsets = first.window.offsets
        shape, dtype = engine.model.metadata.shape, engine.model.metadata.dtype
        random = np.random.default_rng(0)
        self._clips = [random.integers(0, 256, shape, dtype=np.uint8).astype(dtype) for _ in range(CLIPS)]

    def decode(self) -> None:
        """Read the video, prepare its frames and lay its windows out; these are thrown away."""
        source = self.source()
        source.open()
        interval = self.offsets[1] - self.offsets[0] if len(self.offsets) > 1 else 1
        window = SlidingWindow(len(self.offsets), interval, self.options.hop)
        preparer = FramePreparer(self.engine.model.metadata)
        nobody = SimpleNamespace(submit=lambda clip: None)
        FrameReader(source, preparer, window, Submitter(nobody, preparer), StreamStatistics()).run()

    def infer(self) -> None:
        """Run the model as often as there are windows, with all its requests, on clips that are there."""
        results: deque[Callable[[], np.ndarray]] = deque()
        for number in range(self.windows):
            if len(results) == self.engine.requests:
                results.popleft()()
            results.append(self.engine.submit(self._clips[number % len(self._clips)]))
        while results:
            results.popleft()()

    def apart(self) -> None:
        """Do both at once, in two threads that hand nothing over."""
        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(self.decode), threads.submit(self.infer)]:
                done.result()

    def stream(self) -> None:
        """Do both at once."""
        for _ in Stream(self.source(), self.engine, self.options):
            pass


def make_video(path: str | Path, frames: int) -> None:
    """Write a video of a bright disc that wanders over a textured ground.

    Args:
        path: Ends in ``.mp4``.
        frames: Number of pictures.
    """
    width, height = SIZE
    ground = np.random.default_rng(0).integers(0, 80, (height // 8, width // 8, 3), dtype=np.uint8)
    ground = cv2.resize(ground, SIZE, interpolation=cv2.INTER_CUBIC)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), FPS, SIZE)
    for number in range(frames):
        angle = number / 15
        centre = (int(width * (0.5 + 0.3 * np.cos(angle))), int(height * (0.5 + 0.3 * np.sin(1.7 * angle))))
        writer.write(cv2.circle(np.roll(ground, number, axis=1), centre, 30, (200, 220, 240), -1))
    writer.release()


@contextmanager
def _video(options: argparse.Namespace) -> Iterator[str]:
    if options.video:
        yield options.video
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, 'made.mp4'))
        make_video(path, options.frames)
        yield path


def _facts(options: argparse.Namespace, engine: InferenceEngine, stages: Stages) -> dict[str, str]:
    metadata = engine.model.metadata
    size = f'made, {SIZE[0]} x {SIZE[1]} pixels' if options.video is None else Path(options.video).name
    return {
        'model': f'{metadata.architecture}, {engine.model.backend} {engine.model.precision}, input {metadata.shape}, '
        f'{metadata.frames} frames at intervals of {metadata.interval}, {options.requests} requests',
        'video': f'{size}, {stages.pictures} pictures',
        'threads': f'model {options.threads}, decoder {options.decoder_threads}; {os.cpu_count()} CPUs',
        'versions': f'mmkd_video {mmkd_video.__version__}, OpenCV {cv2.__version__}',
    }


def _show(hop: int, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f'\rhop {hop}: round {done}/{total}', end='\n' if done == total else '', file=sys.stderr)
