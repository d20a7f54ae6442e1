"""Does a stream run as fast as the slower of its two stages alone?"""

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
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
from mmkd_video.core.mistakes import UnwrittenFileError
from mmkd_video.export import load_exported
from mmkd_video.serving import (
    FramePreparer,
    FrameReader,
    InferenceEngine,
    OpenCVSource,
    Stream,
    StreamOptions,
    StreamStatistics,
    Submitter,
    build_engine,
    window_of,
)
from mmkd_video.workflows.measure.rounds import FEWEST_ROUNDS, measured_facts

DECODE, INFER, STREAM = 'decoding and preparing alone', 'inference alone', 'stream'
APART = 'both at once, apart'
BESIDE, BESIDE_INFER = 'stream, sliding windows', 'inference alone, sliding windows'
FRAME_TARGET = 1 / 5  # of the time of sliding windows, for each prediction at hop 1
TARGET = 1 / 0.9  # of the slower stage's time
SIZE, FPS = (320, 240), 25
FRAMES, HOPS = 3000, (2, 8, 32)
MOST_ROUNDS = 100  # one takes several seconds
WARMUP = 2
CLIPS = 8  # different inputs of the inference alone


def benchmark_stream(
    model: str | Path,
    *,
    video: str | Path | None = None,
    frames: int = FRAMES,
    hops: Sequence[int] = HOPS,
    rounds: int = FEWEST_ROUNDS,
    max_rounds: int = MOST_ROUNDS,
    warmup: int = WARMUP,
    requests: int = 2,
    threads: int = 1,
    decoder_threads: int = 1,
    backend: str | None = None,
    precision: str | None = None,
    beside: str | Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Report:
    """Measure a stream, its decoder alone and its model alone, interleaved.

    Args:
        model: Path of an exported model.
        video: Path of a video; one is made by default.
        frames: Number of pictures of the video that is made.
        hops: Numbers of pictures from window to window; each is measured.
        rounds: Fewest rounds; each measures everything once.
        max_rounds: Most rounds.
        warmup: Number of rounds before the measured ones.
        requests: Number of windows in the model at once.
        threads: Number of the model's threads.
        decoder_threads: Number of the decoder's threads.
        backend: Name of the runtime, such as ``'openvino'``; by the model's name by default.
        precision: ``'f32'``, ``'bf16'`` or ``'int8'``; what the model says by default.
        beside: Path of a model of sliding windows, with which one that takes a frame at a time is compared.
        progress: Function that is called with (rounds done, rounds in all, what is measured).

    Raises:
        ValueError: A number is out of range, or a file is not what it should be.
        FileNotFoundError: A file is not there.
        MissingExtraError: A runtime is not installed.
    """
    loaded = load_exported(model, backend, threads, precision, batch=1)
    other = None if beside is None else load_exported(beside, backend, threads, precision, batch=1)
    with ExitStack() as opened:
        engine = opened.enter_context(closing(build_engine(loaded, requests)))
        windowed = None if other is None else opened.enter_context(closing(build_engine(other, requests)))
        path = opened.enter_context(_given_or_made(video, frames))
        report, measured, watch = Report(f'{Path(model).name} on a video'), {}, LoadWatch()
        for hop in hops:
            stages = Stages(engine, partial(OpenCVSource, path, decoder_threads), hop)
            variants = {DECODE: stages.decode, INFER: stages.infer, APART: stages.apart, STREAM: stages.stream}
            count = {name: stages.windows for name in variants}
            if windowed is not None:
                slow = Stages(windowed, partial(OpenCVSource, path, decoder_threads), hop)
                variants |= {BESIDE_INFER: slow.infer, BESIDE: slow.stream}
                count |= dict.fromkeys((BESIDE_INFER, BESIDE), slow.windows)
            enough = partial(_settled, count, hop)
            told = None if progress is None else partial(_tell, progress, f'hop {hop}')
            timings = measure_interleaved(
                variants, Rounds(rounds, max(rounds, max_rounds), warmup, enough=enough), watch, progress=told
            )
            measured |= {f'{hop} {name}': each for name, each in timings.items()}
            report.rows += stream_rows(timings, count, hop)
            seconds = {name: vars(each) for name, each in timings.items()}
            report.raw[f'hop {hop}'] = dict(windows=stages.windows, seconds=seconds)
        report.facts = measured_facts(measured, watch) | {
            'model': f'{_described(engine)}, {requests} requests',
            **({} if windowed is None else {'sliding windows': _described(windowed)}),
            'video': f'{_made() if video is None else Path(video).name}, {stages.pictures} pictures',
            'threads': f'model {threads}, decoder {decoder_threads}; {os.cpu_count()} CPUs',
            'versions': f'mmkd_video {mmkd_video.__version__}, OpenCV {cv2.__version__}',
        }
    return report


def stream_rows(timings: Mapping[str, Timings], windows: int | Mapping[str, int], hop: int) -> list[Row]:
    """Return the throughput of everything, and the stream in terms of its stages, round by round.

    Its time is told in that of the slower stage, and in that of both stages at once that have nothing to do with each
    other: the first says how fast it is, the second what is lost by handing over; the rest is the machine's, whose
    cores share caches and memory. Its CPU time is told in that of both: nothing is done twice.

    Args:
        timings: Timings by variant; wall times beside other load are left out.
        windows: Number of windows in the video, of all variants or of each.
        hop: Number of pictures from window to window.
    """
    windows = windows if isinstance(windows, Mapping) else dict.fromkeys(timings, windows)
    rows, void = [], any(each.disturbed for each in timings.values())
    for name, each in timings.items():
        interval = None if void else median_interval([windows[name] / value for value in each.wall])
        rows.append(Row.of(f'hop {hop}: windows per second, {name}', 'count', interval))
    decode, infer, stream = (timings[name] for name in (DECODE, INFER, STREAM))
    slower = [max(pair) for pair in zip(decode.wall, infer.wall, strict=True)]
    for name, others, target in (('slower stage alone', slower, TARGET), (APART, timings[APART].wall, None)):
        interval = None if void else median_interval(paired_ratios(stream.wall, others))
        rows.append(Row.of(f'hop {hop}: time of the stream / {name}', 'ratio', interval, target))
    interval = median_interval(paired_ratios(stream.cpu, decode.cpu, infer.cpu))
    rows.append(Row.of(f'hop {hop}: CPU time of the stream / both stages', 'ratio', interval))
    for name, of, target in ((STREAM, BESIDE, FRAME_TARGET if hop == 1 else None), (INFER, BESIDE_INFER, None)):
        if of in timings:
            each = ([value / windows[key] for value in timings[key].wall] for key in (name, of))
            interval = None if void else median_interval(paired_ratios(*each))
            rows.append(Row.of(f'hop {hop}: time of a prediction, {name} / {of}', 'ratio', interval, target))
    return rows


def _settled(windows: Mapping[str, int], hop: int, timings: Mapping[str, Timings]) -> bool:
    return all(row.settled for row in stream_rows(timings, windows, hop))


class Stages:
    """The stages of a stream, each to be run alone, and the stream.

    Args:
        engine: Model that is run.
        source: Function that makes a source of the video.
        hop: Number of pictures from window to window.

    Attributes:
        windows: Number of windows in the video.
        pictures: Number of pictures in the video.
        calls: Number of times that the model runs.
    """

    def __init__(self, engine: InferenceEngine, source: Callable[[], OpenCVSource], hop: int) -> None:
        self.engine, self.source = engine, source
        self.options = StreamOptions(hop=hop)
        first = Stream(source(), engine, self.options)
        self.windows = len(list(first))
        self.pictures = first.statistics.frames
        self.offsets = first.window.offsets
        metadata = engine.model.metadata
        self.calls = -(-self.pictures // first.window.step) if metadata.streams else self.windows
        shape, dtype = metadata.frame_shape if metadata.streams else metadata.shape, metadata.dtype
        random = np.random.default_rng(0)
        self._clips = [random.integers(0, 256, shape, dtype=np.uint8).astype(dtype) for _ in range(CLIPS)]

    def decode(self) -> None:
        """Read the video, prepare its frames and lay its windows out; these are thrown away."""
        source = self.source()
        source.open()
        interval = self.offsets[1] - self.offsets[0] if len(self.offsets) > 1 else 1
        window = window_of(self.engine.model.metadata, interval, self.options.hop)
        preparer = FramePreparer(self.engine.model.metadata)
        nobody = SimpleNamespace(submit=lambda *clip: None)
        FrameReader(source, preparer, window, Submitter(nobody, preparer), StreamStatistics()).run()

    def infer(self) -> None:
        """Run the model as often as the stream does, with all its requests, on clips that are there."""
        results: deque[Callable[[], np.ndarray]] = deque()
        for number in range(self.calls):
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
        path: Path of the video, which ends in ``.mp4``.
        frames: Number of pictures.

    Raises:
        OSError: They could not all be written.
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
    written = cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT)  # OpenCV is silent about a full disk
    if written != frames:
        raise UnwrittenFileError(f'{path}: {written:.0f} of {frames} pictures were written; is the disk full?')


@contextmanager
def _given_or_made(video: str | Path | None, frames: int) -> Iterator[str]:
    if video is not None:
        yield str(video)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, 'made.mp4'))
        make_video(path, frames)
        yield path


def _tell(progress: Callable[[int, int, str], None], part: str, done: int, total: int) -> None:
    progress(done, total, part)


def _made() -> str:
    return f'made, {SIZE[0]} x {SIZE[1]} pixels'


def _described(engine: InferenceEngine) -> str:
    metadata = engine.model.metadata
    return (
        f'{metadata.architecture}, {engine.model.backend} {engine.model.precision}, input {metadata.shape}, '
        f'{metadata.frames} frames at intervals of {metadata.interval}'
    )
