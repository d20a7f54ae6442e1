"""Streams that end before their video does: the engine gets everything back, and nobody waits for a source."""

import threading

import numpy as np
import pytest
from streams import FakeCamera, ends, export_tiny, wait_for

from mmkd_video.export import load_exported
from mmkd_video.serving import Stream, StreamOptions, build_engine

SPAN = 15  # pictures of a window: 8 frames, every second one
POLICIES = pytest.mark.parametrize(
    'policy', [dict(drop='none'), dict(drop='oldest', queue=10**6)], ids=['none', 'oldest']
)


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return load_exported(export_tiny(tmp_path_factory.mktemp('end')), 'openvino', threads=1, batch=1)


@pytest.fixture
def engine(model):
    engine = build_engine(model, requests=2)
    yield engine
    engine.close()


@pytest.fixture
def no_patience(monkeypatch):
    monkeypatch.setattr('mmkd_video.serving.stream.READER_SECONDS', 0.05)


def stream(source, engine, policy):
    return Stream(source, engine, StreamOptions(hop=1, pause=0, **policy))


def check_that_all_requests_are_free(engine):
    clip = np.zeros(engine.model.metadata.shape, engine.model.metadata.dtype)
    for result in ends(lambda: [engine.submit(clip) for _ in range(engine.requests)]):
        result()


class HangingCamera(FakeCamera):
    """A camera that hangs before a picture, until it is freed."""

    def __init__(self, script, place):
        super().__init__(script)
        self.hangs_at, self.hangs, self.free = place, threading.Event(), threading.Event()

    def grab(self):
        if self.place == self.hangs_at:
            self.hangs.set()
            self.free.wait(60)
            self.hangs.clear()
        return super().grab()


class HangingEngine:
    """An engine whose second submission hangs, until it is freed."""

    def __init__(self, engine):
        self.engine, self.model, self.submitted = engine, engine.model, 0
        self.hangs, self.free = threading.Event(), threading.Event()

    def submit(self, clip):
        self.submitted += 1
        if self.submitted == 2:
            self.hangs.set()
            self.free.wait(60)
            self.hangs.clear()
        return self.engine.submit(clip)


@POLICIES
def test_leaving_does_not_wait_for_a_source_that_hangs(engine, no_patience, monkeypatch, policy):
    before, submitted, submit = set(threading.enumerate()), [], engine.submit
    monkeypatch.setattr(engine, 'submit', lambda clip: submitted.append(1) or submit(clip))
    camera = HangingCamera('.' * 40, SPAN + 2)
    found = iter(stream(camera, engine, policy))
    next(found)
    assert camera.hangs.wait(20) and wait_for(lambda: len(submitted) == 3)
    found.close()
    assert camera.hangs.is_set()
    assert wait_for(lambda: len(set(threading.enumerate()) - before) == 1), 'more than the reader is left'
    check_that_all_requests_are_free(engine)
    submitted.clear()
    camera.free.set()
    assert wait_for(lambda: set(threading.enumerate()) <= before)
    assert not submitted and not camera.is_open and camera.place == SPAN + 3


@POLICIES
def test_what_is_submitted_while_somebody_leaves_is_given_back(engine, no_patience, policy):
    before, hanging = set(threading.enumerate()), HangingEngine(engine)
    found = iter(stream(FakeCamera('.' * 40), hanging, policy))
    next(found)
    assert hanging.hangs.wait(20)
    found.close()
    assert hanging.hangs.is_set()
    hanging.free.set()
    assert wait_for(lambda: set(threading.enumerate()) <= before)
    assert hanging.submitted == 2
    check_that_all_requests_are_free(engine)


@POLICIES
def test_stop_scores_what_is_complete(engine, policy):
    camera = FakeCamera('.' * 10**5, live=False)
    run = stream(camera, engine, policy)
    found = []

    def read():
        for each in run:
            found.append(each.first)
            if len(found) == 3:
                run.stop()

    ends(read)
    assert len(found) >= 3 and camera.place < 10**5
    assert found == list(range(camera.place - SPAN + 1))
    assert run.statistics.interrupted and not run.statistics.dropped


@POLICIES
def test_leaving_early_leaves_the_engine_usable(engine, policy):
    for _ in range(3):
        camera = FakeCamera('.' * 1000, live=False)
        found = iter(stream(camera, engine, policy))
        ends(lambda found=found: (next(found), found.close()))
        assert wait_for(lambda camera=camera: not camera.is_open)
    check_that_all_requests_are_free(engine)


@POLICIES
def test_an_error_of_the_reader_comes_after_the_windows_before_it(engine, policy):
    camera = FakeCamera('.' * 20, live=False)
    original = camera.retrieve
    camera.retrieve = lambda: original() if camera.place <= 18 else np.zeros((2, 200, 3), np.uint8)
    found = []
    run = stream(camera, engine, policy)
    run.preparer._transforms[0].scale = (64, 64)
    run.preparer._transforms[0].keep_ratio = True
    with pytest.raises(ValueError, match='200 x 2 pixels'):
        ends(lambda: [found.append(each.first) for each in run])
    assert found == [0, 1, 2, 3]


class BreakingEngine:
    """An engine whose third submission fails."""

    def __init__(self, engine):
        self.engine, self.model, self.submitted = engine, engine.model, 0

    def submit(self, clip):
        self.submitted += 1
        if self.submitted == 3:
            raise RuntimeError('out of memory')
        return self.engine.submit(clip)


@POLICIES
def test_an_error_of_the_model_comes_after_the_windows_before_it(engine, policy):
    found, camera = [], FakeCamera('.' * 10**5, live=False)
    run = stream(camera, BreakingEngine(engine), policy)
    with pytest.raises(RuntimeError, match='out of memory'):
        ends(lambda: [found.append(each.first) for each in run])
    assert found == [0, 1]
    check_that_all_requests_are_free(engine)


@POLICIES
def test_an_error_of_the_model_ends_the_reading_while_nobody_collects(engine, policy):
    camera = FakeCamera('.' * 10**5, live=False)
    found = iter(stream(camera, BreakingEngine(engine), policy))
    ends(lambda: next(found))
    assert wait_for(lambda: not camera.is_open)
    assert camera.place < 10**5
    assert ends(lambda: next(found)).first == 1
    with pytest.raises(RuntimeError, match='out of memory'):
        ends(lambda: next(found))


@POLICIES
def test_an_error_of_the_reader_is_told_while_its_source_is_still_being_closed(engine, no_patience, policy):
    camera, closed = FakeCamera('F' * 20, live=False), threading.Event()
    camera.close = lambda: closed.wait(60)
    with pytest.raises(ValueError, match='no picture of it can be decoded'):
        ends(lambda: list(stream(camera, engine, policy)))
    closed.set()
