"""Decoding and inference side by side."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np

from mmkd_video.serving.frame_by_frame import window_of
from mmkd_video.serving.frame_preparer import FramePreparer
from mmkd_video.serving.frame_reader import FrameReader, Watcher
from mmkd_video.serving.inference_engine import InferenceEngine
from mmkd_video.serving.prediction import Prediction
from mmkd_video.serving.score_smoother import ScoreSmoother
from mmkd_video.serving.sliding_window import Window
from mmkd_video.serving.statistics import StreamStatistics
from mmkd_video.serving.stream_options import StreamOptions
from mmkd_video.serving.submitter import Submitter
from mmkd_video.serving.video_source import VideoSource
from mmkd_video.serving.window_queue import WindowQueue

READER_SECONDS = 1.0  # seconds that a reader gets to notice that nobody listens any more


class Stream:
    """The predictions of a model on a video, while it is read.

    One thread reads, decodes, prepares and hands windows to the engine, which works on its own; whoever iterates
    collects the scores in order and smooths them. Where windows may be dropped, they wait in a queue, from which
    another thread hands them on. It can be iterated once.

    Args:
        source: The video; opened here and closed at the end.
        engine: The model; stays open.
        options: Settings of how windows are taken.
        watcher: Function that is given every picture, in the reader's thread.

    Attributes:
        statistics: Counts of what happened so far.
        window: The sliding window, with its ``span`` and ``hop``.

    Raises:
        ValueError: The source is no video, or the model's frames cannot be prepared.
        SourceLostError: The live source cannot be reached.
    """

    def __init__(
        self,
        source: VideoSource,
        engine: InferenceEngine,
        options: StreamOptions | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        options = options or StreamOptions()
        metadata = engine.model.metadata
        self.engine, self.preparer = engine, FramePreparer(metadata, engine.model.path, options.fit)
        source.open()
        interval = options.interval_for(metadata, source.fps)
        hop = options.hop_for(metadata.frames, interval, metadata.streams)
        self.window = window_of(metadata, interval, hop, engine.model.path)
        if metadata.streams:
            engine.begin()
        self.statistics = StreamStatistics()
        self._smoother = ScoreSmoother(options.smooth)
        policy = options.policy_for(source)
        self._submitter = Submitter(engine, self.preparer)
        self._waiting = None if policy == 'none' else WindowQueue(options.queue, policy)
        self._reader = FrameReader(
            source,
            self.preparer,
            self.window,
            self._submitter if self._waiting is None else self._waiting,
            self.statistics,
            options.reconnects,
            options.pause,
            watcher,
        )
        self._error: BaseException | None = None

    def __iter__(self) -> Iterator[Prediction]:
        """Yield the prediction of each window, in order.

        Raises:
            ValueError: A picture cannot be made into what the model takes; all earlier windows were yielded.
        """
        self.statistics.began = time.monotonic()
        threads = [
            threading.Thread(target=work, name=work.__qualname__, daemon=True)
            for work in ([self._read] if self._waiting is None else [self._read, self._submit_windows])
        ]
        for thread in threads:
            thread.start()
        try:
            while (item := self._submitter.get()) is not None:
                if item[0].silent:
                    item[1]()
                else:
                    yield self._collect(*item)
        finally:
            self._close(threads)
        error = self._reader.error or self._error  # the reader's may be there while its source is still being closed
        if error is not None:
            raise error

    def stop(self) -> None:
        """End the stream soon: nothing more is read, windows that are complete are still scored."""
        self.statistics.interrupted = True
        self._reader.stop()

    def _collect(self, window: Window, result: Callable[[], np.ndarray]) -> Prediction:
        scores = self._smoother(result(), window.segment)
        latency = time.monotonic() - window.captured
        self.statistics.add_latency(latency)
        return Prediction(
            scores=scores,
            first=window.first,
            last=window.last,
            start=window.start,
            end=window.end,
            latency=latency,
            dropped=self.statistics.dropped,
        )

    def _read(self) -> None:
        with self._noting_an_error():
            self._reader.run()

    def _submit_windows(self) -> None:
        try:
            with self._noting_an_error():
                while (window := self._waiting.get()) is not None:
                    self._submitter.put(window)
        finally:
            self._reader.stop()
            self._submitter.close()

    @contextlib.contextmanager
    def _noting_an_error(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # raised again by whoever iterates
            self._error = self._error or error

    def _close(self, threads: list[threading.Thread]) -> None:
        """Give back every request of the engine where the iteration was left early; wait a while for the threads."""
        self._reader.stop()
        if self._waiting is not None:
            self._waiting.abort()
        self._submitter.abort()
        for thread in threads:
            thread.join(READER_SECONDS)
        self.statistics.ended = time.monotonic()
