"""Whole streams: the scores are the model's, in order, whatever happens to the source."""

import threading
from collections import defaultdict

import numpy as np
import pytest
import torch
from clips import encode
from streams import CLASSES, FakeCamera, clip_of, export_tiny, picture, steps, wait_for
from zoo import config_of

from mmkd_video.core.registry import build_model
from mmkd_video.export import load_exported
from mmkd_video.serving import OpenCVSource, Stream, StreamOptions, StreamStatistics, build_engine

SPAN = 15  # pictures of a window: 8 frames, every second one


@pytest.fixture(scope='module')
def paths(tmp_path_factory):
    """Exported files by layout; both runtimes read them."""
    return {layout: export_tiny(tmp_path_factory.mktemp(layout), layout) for layout in ('NCTHW', 'NCHW')}


@pytest.fixture(scope='module')
def model(paths):
    return load_exported(paths['NCTHW'], 'openvino', threads=1, batch=1)


@pytest.fixture
def engine(model):
    engine = build_engine(model, requests=2)
    yield engine
    engine.close()


def stream(source, engine, **options):
    return Stream(source, engine, StreamOptions(**{'pause': 0, **options}))


@pytest.mark.parametrize('backend', ['openvino', 'onnxruntime'])
@pytest.mark.parametrize('layout', ['NCTHW', 'NCHW'])
def test_scores_are_those_of_the_test_pipeline(tmp_path, paths, layout, backend):
    check_scores(load_exported(paths[layout], backend, threads=1, batch=1), steps(layout), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['i3d', 'tsn_r18'])
def test_scores_of_real_recognizers(tmp_path, name):
    torch.manual_seed(0)
    recognizer = build_model(config_of(name)[0])
    torch.nn.init.normal_(recognizer.cls_head.fc_cls.weight, std=1.0)
    path = export_tiny(tmp_path, model=recognizer, suffix='.xml')
    exported = load_exported(path, threads=1, batch=1)
    check_scores(exported, steps(exported.metadata.layout), tmp_path)


def check_scores(exported, test_pipeline, folder):
    """Compare a stream over three videos with the model on what its test pipeline makes of them."""
    scores = []
    for seed in range(3):
        video = folder / f'{seed}.mp4'
        encode(video, seed, frames=40, seed=seed)
        clip, numbers = clip_of(video, test_pipeline)
        scores.append(exported(clip[None])[0])
        engine = build_engine(exported)
        (match,) = [each for each in stream(OpenCVSource(video), engine, hop=1) if each.first == numbers[0]]
        engine.close()
        np.testing.assert_allclose(match.scores, scores[-1], atol=1e-6)
        assert match.start == pytest.approx(numbers[0] / 12, abs=2e-3)
        assert match.end == pytest.approx(numbers[-1] / 12, abs=2e-3)
        assert match.last == numbers[-1]
    assert np.ptp(scores, axis=0).max() > 0.01


@pytest.mark.parametrize('frames', [5, 14])
@pytest.mark.parametrize('option', ['loop', 'repeat_last'])
def test_a_video_shorter_than_a_window_is_filled_as_the_pipeline_does(tmp_path, model, engine, frames, option):
    encode(tmp_path / 'short.mp4', 1, frames=frames)
    test_pipeline = steps()
    test_pipeline[1]['out_of_bound_opt'] = option
    clip, _ = clip_of(tmp_path / 'short.mp4', test_pipeline)
    short = stream(OpenCVSource(tmp_path / 'short.mp4'), engine)
    short.window.repeat_last = option == 'repeat_last'
    (found,) = short
    np.testing.assert_allclose(found.scores, model(clip[None])[0], atol=1e-6)
    assert (found.first, found.last) == (0, frames - 1)


def test_results_come_in_order_and_each_frame_is_prepared_once(engine):
    camera = FakeCamera('.' * 60, live=False)
    run = stream(camera, engine, hop=4)
    prepared = []
    original = run.preparer._run
    run.preparer._run = lambda image: prepared.append(1) or original(image)
    found = list(run)
    assert [each.first for each in found] == list(range(0, 60 - SPAN + 1, 4))
    # One to see which part of a picture the model sees, all of the first window, then those with even numbers.
    assert len(prepared) == 1 + SPAN + len(range(16, 60, 2))
    assert run.statistics.windows == len(found)
    assert all(each.latency > 0 for each in found)


def test_smoothing_weighs_what_was_before(engine):
    camera = FakeCamera('.' * 30, live=False)
    plain = [each.scores for each in stream(camera, engine, hop=5)]
    smooth = [each.scores for each in stream(FakeCamera('.' * 30, live=False), engine, hop=5, smooth=0.75)]
    np.testing.assert_allclose(smooth[0], plain[0], atol=1e-6)
    np.testing.assert_allclose(smooth[1], 0.75 * plain[0] + 0.25 * plain[1], atol=1e-6)


def test_damaged_pictures_are_left_out_and_counted(model, engine):
    script = '...x' + '.' * 5 + 'FF' + '.' * 7
    run = stream(FakeCamera(script, live=False), engine)
    (found,) = run
    assert run.statistics.corrupt == 3
    whole = [index for index, letter in enumerate(script) if letter == '.']
    frames = [run.preparer(picture(index)) for index in whole[0:SPAN:2]]
    np.testing.assert_allclose(found.scores, model(run.preparer.assemble(frames)[None])[0], atol=1e-6)


def test_a_lost_camera_is_opened_again_and_no_window_reaches_over_the_gap(engine):
    script = '.' * 17 + 'L' + '.' * 20
    run = stream(FakeCamera(script, reopens=1), engine, hop=3, drop='none', reconnects=2)
    found = list(run)
    assert [each.first for each in found] == [0, 17, 20]
    assert run.statistics.losses == 2 and run.statistics.lost
    assert not run.statistics.corrupt


def test_smoothing_begins_anew_behind_a_gap(engine):
    script, options = '.' * SPAN + 'L' + '.' * SPAN, dict(drop='none', reconnects=1)
    plain = [each.scores for each in stream(FakeCamera(script, reopens=1), engine, **options)]
    smooth = [each.scores for each in stream(FakeCamera(script, reopens=1), engine, smooth=0.9, **options)]
    assert len(plain) == 2
    np.testing.assert_allclose(smooth, plain, atol=1e-6)


def test_a_camera_that_stays_away_ends_the_stream_with_all_windows(engine):
    camera = FakeCamera('.' * 20 + 'L' + '.' * 20)
    run = stream(camera, engine, hop=5, drop='none', reconnects=3)
    assert [each.first for each in run] == [0, 5]
    assert run.statistics.lost and run.statistics.losses == 1


def test_pictures_of_another_size_go_on(engine):
    run = stream(FakeCamera('.' * 10 + 'B' + '.' * 19, live=False), engine, hop=5)
    assert [each.first for each in run] == [0, 5, 10, 15]
    assert run.statistics.resizes == 1


class SlowEngine:
    """An engine that waits until it is told to go on."""

    def __init__(self, engine, gate):
        self.engine, self.model, self.gate = engine, engine.model, gate

    def submit(self, clip):
        self.gate.wait(10)
        return self.engine.submit(clip)


class WaitingEngine:
    """An engine whose first result is there only when something else has happened."""

    def __init__(self, engine, happened):
        self.engine, self.model, self.happened, self.submitted = engine, engine.model, happened, 0

    def submit(self, clip):
        self.submitted += 1
        result = self.engine.submit(clip)
        return lambda: result() if self.happened() else pytest.fail('nothing went on meanwhile')


def test_pictures_are_read_while_the_model_works(engine):
    camera = FakeCamera('.' * 34, live=False)
    waiting = WaitingEngine(engine, lambda: wait_for(lambda: camera.place >= 34))
    assert len(list(stream(camera, waiting, hop=10))) == 2  # as many as the engine takes at once


def test_the_next_window_is_submitted_while_the_model_works(engine):
    waiting = WaitingEngine(engine, lambda: wait_for(lambda: waiting.submitted >= 2))
    assert len(list(stream(FakeCamera('.' * 25, live=False), waiting, hop=10))) == 2


@pytest.mark.parametrize('policy, kept', [('oldest', [24, 25]), ('newest', [0, 1])])
def test_a_full_queue_drops_by_policy_and_counts(engine, policy, kept):
    gate = threading.Event()
    camera = FakeCamera('.' * 40)
    camera.close = gate.set  # everything was read
    run = stream(camera, SlowEngine(engine, gate), hop=1, drop=policy, queue=2, reconnects=0)
    found = list(run)
    numbers = [each.first for each in found]
    # One more was in the engine's hands, if it came before the queue was full.
    assert len(numbers) in (2, 3) and numbers == sorted(numbers)
    assert set(kept) <= set(numbers)
    assert run.statistics.dropped == 40 - SPAN + 1 - len(found)
    assert found[-1].dropped == run.statistics.dropped


@pytest.mark.parametrize('backend', ['openvino', 'onnxruntime'])
def test_the_reader_waits_where_nothing_may_be_dropped_and_nobody_collects(paths, backend):
    engine = build_engine(load_exported(paths['NCTHW'], backend, threads=1, batch=1), requests=2)
    camera = FakeCamera('.' * 200, live=False)
    run = stream(camera, engine, hop=1)
    found = iter(run)
    numbers = [next(found).first]
    most = SPAN + 2 + 1  # windows in the engine, and one that waits for it
    assert not wait_for(lambda: camera.place > most, seconds=0.5)
    numbers += [each.first for each in found]
    assert numbers == list(range(200 - SPAN + 1))
    assert run.statistics.dropped == 0
    engine.close()


@pytest.mark.parametrize('backend', ['openvino', 'onnxruntime'])
def test_windows_are_dropped_where_nobody_collects(paths, backend):
    engine = build_engine(load_exported(paths['NCTHW'], backend, threads=1, batch=1), requests=2)
    camera = FakeCamera('.' * 100)
    run = stream(camera, engine, hop=1, drop='oldest', queue=2, reconnects=0)
    found = iter(run)
    next(found)
    assert wait_for(lambda: run.statistics.lost)  # everything was read
    most = 2 + 1 + 2  # in the engine, in the hand, in the queue
    assert len(list(found)) <= most
    assert run.statistics.dropped >= 100 - SPAN - most
    engine.close()


class WatchedStatistics(StreamStatistics):
    """Counters that note which threads write them."""

    writers = None

    def __setattr__(self, name, value):
        if self.writers is not None:
            self.writers[name].add(threading.get_ident())
        super().__setattr__(name, value)


def test_each_counter_is_written_by_one_thread(engine):
    statistics = WatchedStatistics()
    statistics.writers = defaultdict(set)
    run = stream(FakeCamera('.' * 20 + 'xB' + '.' * 40), engine, hop=1, drop='oldest', queue=1, reconnects=0)
    run.statistics = run._reader.statistics = statistics
    for _ in run:
        pass
    here = {threading.get_ident()}
    assert {name for name, threads in statistics.writers.items() if threads == here} == {'windows', 'began', 'ended'}
    (reader,) = statistics.writers['dropped']
    for name in ('frames', 'corrupt', 'resizes', 'losses', 'lost'):
        assert statistics.writers[name] == {reader}


def test_class_names_and_json(engine):
    (found,) = stream(FakeCamera('.' * SPAN, live=False), engine)
    said = found.as_dict(CLASSES, 2)
    best = int(found.scores.argmax())
    assert said['top'][0] == {'class': CLASSES[best], 'score': pytest.approx(float(found.scores[best]), abs=1e-6)}
    assert len(said['top']) == 2 and said['frames'] == [0, SPAN - 1]
    assert set(said) == {'start', 'end', 'frames', 'top', 'latency_ms', 'dropped'}
