"""An exported model on a video, a camera or a network stream."""

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mmkd_video.core.files.json_lines import JsonLines
from mmkd_video.core.files.new import expect_new
from mmkd_video.core.interrupts import Interrupts
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.status_line import StatusLine
from mmkd_video.export import load_exported
from mmkd_video.serving import (
    AnnotatedVideo,
    DriftReference,
    DriftWatch,
    InferenceEngine,
    OpenCVSource,
    PacedSource,
    Stream,
    StreamOptions,
    StreamStatistics,
    VideoSource,
    build_engine,
)

TOPK, REQUESTS = 3, 2


@dataclass(frozen=True)
class ModelSettings:
    """An exported model and how it is run.

    Args:
        path: Path of the exported file.
        backend: Name of the runtime, such as ``'openvino'``; by the file's name by default.
        threads: Number of the model's threads; the runtime's choice by default.
        precision: ``'f32'``, ``'bf16'`` or ``'int8'``; what the file says by default.
        requests: Number of windows in the model at once.
    """

    path: str | Path
    backend: str | None = None
    threads: int | None = None
    precision: str | None = None
    requests: int = REQUESTS

    def open(self) -> InferenceEngine:
        """Load the model; the engine is to be closed.

        Raises:
            ValueError: The file is no exported model, or a setting does not go with it.
            FileNotFoundError: There is no such file.
            MissingExtraError: The runtime is not installed.
        """
        model = load_exported(self.path, self.backend, self.threads, self.precision, batch=1)
        return build_engine(model, self.requests)


@dataclass(frozen=True)
class StreamResult:
    """How a stream ended.

    Args:
        source: Name of the source.
        statistics: Counts of windows, pictures and losses.
        clips: Number of clips that the model took at once, all of them the same; 1 where it takes one.
        signal: Number of the signal that ended it; None where none did.
    """

    source: str
    statistics: StreamStatistics
    clips: int = 1
    signal: int | None = None

    @property
    def lost(self) -> bool:
        """Whether the source was lost for good."""
        return self.signal is None and bool(self.statistics.lost)


def stream_video(
    name: str,
    model: ModelSettings,
    how: StreamOptions | None = None,
    *,
    out: str | Path | None = None,
    annotate: str | Path | None = None,
    force: bool = False,
    topk: int = TOPK,
    realtime: bool = False,
    decoder_threads: int = 1,
    watch: str | Path | None = None,
) -> StreamResult:
    """Classify a video while it is read, and write one line of JSON a window.

    Args:
        name: Path of a video, a camera or an address.
        model: Model and how it is run.
        how: Windows to take, and what happens when there are too many.
        out: Path of the file for the lines; the standard output by default.
        annotate: Path of a copy of the video with labels.
        force: Whether existing files may be replaced.
        topk: Number of classes in a line.
        realtime: Whether a file is read no faster than it was recorded.
        decoder_threads: Number of the decoder's threads.
        watch: File of :func:`~mmkd_video.workflows.stream.calibrating.calibrate_watch`; a drift from what is expected
            there becomes a line of its own.

    Raises:
        ValueError: A number is out of range, or a file is not what it should be.
        FileNotFoundError: There is no such video or model.
        FileExistsError: A file would be replaced.
        MissingExtraError: The runtime is not installed.
    """
    expect_classes(topk)
    source = OpenCVSource(name, decoder_threads)
    source = PacedSource(source) if realtime else source
    for option, path in (('--out', out), ('--annotate', annotate)):
        expect_new(option, path, force)
    how = how or StreamOptions()
    reference = None if watch is None else DriftReference.read(watch)
    with closing(model.open()) as engine:
        drift = None if reference is None else reference.watch(engine.model, how)
        return _stream(source, engine, how, out, annotate, topk, drift)


def expect_classes(topk: int) -> None:
    """Check that a line would hold a class.

    Args:
        topk: Number of classes in a line.

    Raises:
        ValueError: It would not.
    """
    if topk < 1:
        raise WrongValueError(f'--topk: got {topk}, expected at least 1')


def _stream(
    source: VideoSource,
    engine: InferenceEngine,
    how: StreamOptions,
    out: str | Path | None,
    annotate: str | Path | None,
    topk: int,
    drift: DriftWatch | None,
) -> StreamResult:
    classes = engine.model.metadata.classes
    video = AnnotatedVideo(annotate, classes) if annotate else None
    stream = Stream(source, engine, how, video.watch if video else None)
    if video is not None:
        video.fps = source.fps or video.fps
    warned = False
    with Interrupts() as interrupts, JsonLines(out) as lines, StatusLine() as status:
        interrupts.stop = stream.stop
        try:
            for prediction in stream:
                if not out:
                    status.clear()  # both may be the same terminal
                if stream.preparer.warning and not warned:
                    print(f'warning: {source.name}: {stream.preparer.warning}', file=sys.stderr)
                    warned = True
                lines.write(prediction.as_dict(classes, topk))
                found = drift and drift.add(prediction.scores, prediction.start, prediction.end)
                if found:
                    lines.write(found.as_dict())
                    print(f'warning: {source.name}: {found}', file=sys.stderr)
                name, score = prediction.top(classes, 1)[0]
                status.show(f'{name} {score:.0%} | {stream.statistics.short()}')
                if video is not None:
                    video.label(prediction)
        finally:
            if video is not None:
                video.close()
    return StreamResult(source.name, stream.statistics, stream.preparer.repeats, interrupts.signal)
